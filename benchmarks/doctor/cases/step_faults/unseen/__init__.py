"""Pairs by somebody who had read nothing of the doctor, with data of their own."""
