"""How a result was made: records, marks, confidence pictures, checks.

Nothing here knows a network or torch. What computes a picture says what it
did in a :class:`mmdsr.evidence.record.Record`.
"""
