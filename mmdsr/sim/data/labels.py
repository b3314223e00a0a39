"""Which defects of a frame are labeled, and under which name.

SewerSim's kinds of defects have the codes of Sewer-ML. One additional kind,
``IL``, is a branch pipe that reaches into the sewer. The table:

===== ============================ ======== =========
kind  meaning                      Pipe     Sewer-ML
===== ============================ ======== =========
RB    cracks, breaks                        RB
OB    surface damage                        OB
DE    deformation                           DE
FS    displaced joint              JO       FS
IS    intruding sealing material            IS
RO    roots                                 RO
IN    infiltration                 IN       IN
AF    settled deposits                      AF
BE    attached deposits                     BE
FO    obstacle                              FO
GR    branch pipe                           GR
IL    intruding lateral            IL       GR
===== ============================ ======== =========

Sewer-ML has no class for an intruding lateral, which counts as GR, a pipe that
joins the sewer. VA, PF, PH, PB, OS, OP and OK have no counterpart in the
simulator; their columns are 0.

An exact mask also marks what nobody could see, such as a joint at the dark end
of the pipe, or three pixels of a root. An instance is therefore labeled only
if

- its visible pixels are at least `MIN_AREA` of the image,
- its box is at least `MIN_SIDE` of the image's shorter side both ways,
- it and its surroundings have a mean luma of at least `MIN_LUMA`.

Masks, boxes and image labels all follow from the instances that are left.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import cv2
import numpy as np

from mmdsr.datasets.pipe_labels import PIPE_IDS
from mmdsr.datasets.sewer_ml_csv import CLASSES
from mmdsr.sim.pipe_run import SimFrame
from mmdsr.sim.scene.defects import Defect
from mmdsr.sim.scene.scene import Scene

MIN_AREA = 0.001
"""Smallest share of the image's pixels."""
MIN_SIDE = 0.015
"""Smallest side of a box, as a share of the image's shorter side."""
MIN_LUMA = 16.0
"""Smallest mean luma of the instance and a rim around it, 0 to 255."""
RIM = 0.01
"""Width of that rim, as a share of the image's shorter side."""

PIPE_CLASSES = {'FS': 'JO', 'IL': 'IL', 'IN': 'IN'}
"""Kind to class of the Pipe data set."""
SEWER_ML_CLASSES = {
    **{
        kind: kind
        for kind in (
            'RB', 'OB', 'DE', 'FS', 'IS', 'RO', 'IN', 'AF', 'BE', 'FO', 'GR',
        )
    },
    'IL': 'GR',
}  # fmt: skip
"""Kind to class of Sewer-ML."""


class Instance(NamedTuple):
    """A defect that can be seen in a frame.

    Attributes:
        kind: Code of its kind.
        mask: Boolean ``(H, W)``, its visible pixels.
        box: Bounding box of the mask ``(x, y, width, height)`` in pixels; x
            and y are its first column and row.
    """

    kind: str
    mask: np.ndarray
    box: tuple[int, int, int, int]


def label_rules() -> dict:
    """The thresholds, as stored in the manifest."""
    return {
        'min_area': MIN_AREA,
        'min_side': MIN_SIDE,
        'min_luma': MIN_LUMA,
        'rim': RIM,
    }


def water_percent(scene: Scene) -> int:
    """Return the water level as Sewer-ML counts it.

    Args:
        scene: Scene of a run.

    Returns:
        Depth of the water in percent of the height of the section, 0 to
        100, to the nearest whole number.
    """
    return int(np.clip(round(100 * scene.filled), 0, 100))


def find_instances(
    frame: SimFrame, defects: Sequence[Defect]
) -> list[Instance]:
    """List the defects of a frame that can be seen.

    Args:
        frame: A `mmdsr.sim.SimFrame`.
        defects: The defects of its run, in order.

    Returns:
        Instances in the order of the defects, each at most once. Pixels under
        burned-in text belong to no instance.
    """
    height, width = frame.defect.shape
    shorter = min(height, width)
    ids = np.where(frame.overlay, 0, frame.defect)
    luma = cv2.cvtColor(frame.image, cv2.COLOR_RGB2GRAY)
    reach = 2 * max(1, round(RIM * shorter)) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    found = []
    for number, defect in enumerate(defects, 1):
        mask = ids == number
        if mask.sum() < max(1, MIN_AREA * mask.size):
            continue
        x, y, wide, high = cv2.boundingRect(mask.astype(np.uint8))
        if min(wide, high) < MIN_SIDE * shorter:
            continue
        around = cv2.dilate(mask.astype(np.uint8), kernel) > 0
        if luma[around].mean() < MIN_LUMA:
            continue
        found.append(Instance(defect.kind, mask, (x, y, wide, high)))
    return found


def pipe_mask(
    instances: Iterable[Instance], shape: tuple[int, ...]
) -> np.ndarray:
    """Draw the class ids of the Pipe data set.

    Args:
        instances: Result of `find_instances`; kinds that the Pipe data set
            does not have are background.
        shape: Height and width.

    Returns:
        uint8 ``(H, W)``: 0 background, 1 JO, 2 IL, 3 IN.
    """
    mask = np.zeros(shape, np.uint8)
    for instance in instances:
        name = PIPE_CLASSES.get(instance.kind)
        if name is not None:
            mask[instance.mask] = PIPE_IDS[name]
    return mask


def sewer_ml_row(name: str, kinds: Iterable[str], water: int) -> dict:
    """Make a row of a Sewer-ML table.

    Args:
        name: Name of the image file.
        kinds: Kinds that are visible in it.
        water: Water level in percent.

    Returns:
        Column to value. ``ND`` is 1 if no class is present, ``Defect`` is 1 if
        any is.
    """
    classes = {SEWER_ML_CLASSES[kind] for kind in kinds}
    flags = {code: int(code in classes) for code in CLASSES}
    defect = int(any(flags.values()))
    return {
        'Filename': name,
        'WaterLevel': water,
        'VA': 0,
        **flags,
        'ND': 1 - defect,
        'Defect': defect,
    }
