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


def read(path):
    """Return a file as RGB (3, H, W), float32 in [0, 1]."""
    image = np.asarray(Image.open(path).convert('RGB'), np.float32) / 255
    return image.transpose(2, 0, 1)


def main(model, source, target, *references):
    """Enhance one image."""
    session = onnxruntime.InferenceSession(
        model, providers=['CPUExecutionProvider']
    )
    inputs = {'lr': read(source)[None]}
    if references:
        # All references of an image have one size: (N, K, 3, Hr, Wr).
        inputs['ref'] = np.stack([read(path) for path in references])[None]
    image, confidence = session.run(['sr', 'confidence'], inputs)
    pixels = (image[0].clip(0, 1) * 255).round().astype(np.uint8)
    Image.fromarray(pixels.transpose(1, 2, 0)).save(target)
    print(f'{target}: {pixels.shape[2]}x{pixels.shape[1]}, mean confidence '
          f'in the reference {confidence.mean():.2f}')  # fmt: skip


if __name__ == '__main__':
    if len(sys.argv) < 4:
        sys.exit(f'usage: {Path(sys.argv[0]).name} MODEL IN OUT [REF ...]')
    main(*sys.argv[1:])
