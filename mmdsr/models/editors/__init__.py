"""Trainable models on mmagic, imported on demand by ``mmdsr.registry``."""
