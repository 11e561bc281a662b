"""Faults made on purpose: real processes really killed, links really cut, disks really full."""
