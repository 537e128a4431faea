"""Training runs with an injected fault, and healthy ones that resemble faults: what gradient health reports."""
