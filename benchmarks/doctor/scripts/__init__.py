"""Training scripts in the ways that people write them, healthy ones and their faulty siblings: run
unwatched and by `sevensteps watch`, and compared (`python -m benchmarks.doctor.scripts`)."""
