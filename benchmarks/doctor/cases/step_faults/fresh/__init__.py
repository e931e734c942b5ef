"""Pairs by somebody who had read nothing of the doctor: four a step, with data of their own."""
