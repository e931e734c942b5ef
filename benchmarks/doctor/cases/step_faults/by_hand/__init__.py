"""Pairs by somebody who had read nothing of the doctor: five a step, with data of their own."""
