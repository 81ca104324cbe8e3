"""An S3 server that costs almost nothing, to measure clients by.

Listings of any number of keys are slices of bytes that were rendered at its start; other objects are kept in memory;
every answer can be held back by a fixed latency; requests are counted by kind. It checks no signatures.

    python -m benchmarks.synthetic --rendered one=1000000 --rendered other=1000000 --latency 0.05
"""
