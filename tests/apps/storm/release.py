"""What a deployment replaces: the tests write this file anew."""

VERSION = 1
HEALTHY = True
