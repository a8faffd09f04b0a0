"""Runs compiled programs on the Top of MNF: outputs, cycles and counters of each."""

from golden.mnf import decode
from hw.mnf.bank import Bank
from hw.mnf.engine import CAUSES
from hw.mnf.pe import PE
from hw.mnf.top import Top
from sim.common.design import DesignRTL
from sim.mnf.cover import FACTS, POINTS

RTL = DesignRTL("mnf", Top, causes=CAUSES, outputs=decode.outputs,
                blocks=lambda config: (PE, Bank), points=POINTS, facts=FACTS, fast=9)
