"""Check the environment against the version lane and report how to fix it.

Run ``python -m mmdsr.doctor``. The versions come from
``requirements/constraints.txt``, which an installed mmdsr carries in
``mmdsr/.mim``. The standard library and packaging are enough, because this
must still run where the environment is broken; rich makes the table if it is
there. Without packaging, one line says how to install it.
"""
