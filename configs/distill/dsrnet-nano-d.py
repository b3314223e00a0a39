"""DSRNet-nano-D: student_nano.py, distilled from DSRNet+.

Not in the paper. Losses and teacher as in dsrnet-d.py.
"""

_base_ = ['./dsrnet-d.py', '../_base_/models/dsrnet_nano.py']

experiment_name = 'dsrnet_nano_d'

model = dict(generator=_base_.dsrnet_nano)
