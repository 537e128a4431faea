"""Trainings with an injected fault, and healthy ones that look like faults: what gradient health makes of them."""
