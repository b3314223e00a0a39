"""Super-resolve an image with an exported model: ONNX Runtime, no torch.

    python enhance.py dsrnet_x_nano.onnx frame.png result.png next_frame.png

The last file is a reference, at full size; the model ``...-alone.onnx`` takes
none. It needs onnxruntime, numpy and pillow.
"""

import sys
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image


def read(path: str) -> np.ndarray:
    """Return a file as RGB (3, H, W), float32 in [0, 1]."""
    with Image.open(path) as file:
        image = np.asarray(file.convert('RGB'), np.float32) / 255
    return image.transpose(2, 0, 1)


def main(model: str, source: str, target: str, *references: str) -> None:
    """Enhance one image.

    Args:
        model: The exported model.
        source: The image.
        target: File of the result.
        *references: Images of the same scene, all of one size.
    """
    session = onnxruntime.InferenceSession(
        model, providers=['CPUExecutionProvider']
    )
    inputs = {'lr': read(source)[None]}
    if references:
        inputs['ref'] = np.stack([read(path) for path in references])[None]
    image, confidence = session.run(['sr', 'confidence'], inputs)
    # The result is not clamped.
    pixels = (image[0].clip(0, 1) * 255).round().astype(np.uint8)
    Image.fromarray(pixels.transpose(1, 2, 0)).save(target)
    height, width = pixels.shape[1:]
    print(f'{target}: {width}x{height}, confidence {confidence.mean():.2f}')


if __name__ == '__main__':
    if len(sys.argv) < 4:
        sys.exit(f'usage: {Path(sys.argv[0]).name} MODEL IN OUT [REF ...]')
    main(*sys.argv[1:])
