"""Trainable models on mmagic; imported by name, see ``mmdsr.registry``."""
