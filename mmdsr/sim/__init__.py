"""SewerSim: simulated camera runs down a sewer pipe, with exact depth."""

from mmdsr.sim.data.dataset import generate_dataset
from mmdsr.sim.pipe_run import PipeRun, SimFrame

__all__ = ['PipeRun', 'SimFrame', 'generate_dataset']
