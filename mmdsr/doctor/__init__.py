"""Check the environment against the version lane and say how to mend it.

Run ``python -m mmdsr.doctor``. The versions come from
``requirements/constraints.txt``, which an installed mmdsr carries in
``mmdsr/.mim``. Only the standard library is needed, because this must still
run where the environment is broken; rich makes the table if it is there.
"""
