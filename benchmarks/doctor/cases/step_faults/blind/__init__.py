"""Pairs by somebody who had read nothing of the doctor: seven a step, with data of their own."""
