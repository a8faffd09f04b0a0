"""Refusing a component's parameters."""


def require(component, rule, message):
    """ValueError with ``message`` unless ``rule`` holds.

    The component that refuses itself is marked as used: else Amaranth would complain, long after
    the error, that it was created and never elaborated.
    """
    if not rule:
        component._MustUse__used = True
        raise ValueError(message)
