"""Live outputs: every event, once it is in the journal, to those who collect it elsewhere. One module each."""

from urltrap.exchange.outputs.delivery import Delivery
from urltrap.exchange.outputs.output import Output, OutputError
from urltrap.exchange.outputs.process import make_outputs, run_outputs

__all__ = ["Delivery", "Output", "OutputError", "make_outputs", "run_outputs"]
