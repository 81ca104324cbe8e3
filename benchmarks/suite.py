"""The cases that are measured, in the order of the page."""

from __future__ import annotations

from benchmarks.cases import BucketToBucket, Case, Deletes, Download, Listings, NothingToDo, Plan, Upload, Version
from benchmarks.publishing import NextRelease, Updates
from benchmarks.tools import ADLFS, AWS, CLOUDSYNC, FSSPEC, GCSFS, RCLONE, RCLONE_32, S5CMD, S5CMD_32

GO_TOOLS = (RCLONE, RCLONE_32, S5CMD, S5CMD_32)
EVERYBODY = (CLOUDSYNC, *GO_TOOLS, AWS, FSSPEC)
_MIB = 1024 * 1024

_SIZES_ONLY = RCLONE_32.comparing("--fast-list", "--size-only", counts=False)

CASES: tuple[Case, ...] = (
    Upload(name="small-up", title="{count} x {size} up", files=10_000, size=4096, tools=EVERYBODY, quick=True),
    Download(name="small-down", title="{count} x {size} down", files=10_000, size=4096, tools=EVERYBODY, quick=True),
    NothingToDo(
        name="no-op",
        title="nothing to do, {count} x {size} up",
        files=10_000,
        size=4096,
        tools=(CLOUDSYNC, *GO_TOOLS, _SIZES_ONLY, AWS, FSSPEC),
        quick=True,
    ),
    Upload(name="large-up", title="{size} up", files=1, size=1024 * _MIB, tools=EVERYBODY),
    Download(name="large-down", title="{size} down", files=1, size=1024 * _MIB, tools=EVERYBODY),
    Listings(
        name="million",
        title="nothing to do, {count} objects, bucket to bucket",
        keys=1_000_000,
        server="synthetic",
        tools=(
            CLOUDSYNC,
            RCLONE.comparing("--fast-list", "--size-only"),
            RCLONE_32.comparing("--fast-list", "--size-only"),
            S5CMD.comparing("--size-only"),
            S5CMD_32.comparing("--size-only"),
            AWS.comparing("--size-only"),
        ),
    ),
    Listings(
        name="hundred-thousand",
        title="nothing to do, {count} objects, bucket to bucket",
        keys=100_000,
        server="synthetic",
        tools=(CLOUDSYNC, RCLONE_32.comparing("--fast-list", "--size-only")),
        quick=True,
    ),
    Plan(
        name="plan",
        title="the plan of {count} pairs in memory",
        pairs=1_000_000,
        server="none",
        tools=(CLOUDSYNC,),
        quick=True,
    ),
    Upload(
        name="latency",
        title="{count} x {size} up, 50 ms a request",
        files=5_000,
        size=4096,
        latency=0.05,
        server="synthetic",
        tools=(CLOUDSYNC, *GO_TOOLS),
    ),
    Deletes(name="deletes", title="{count} deletes", files=10_000, size=4096, tools=(CLOUDSYNC, *GO_TOOLS, AWS)),
    BucketToBucket(
        name="bucket-copy",
        title="{count} x {size}, bucket to bucket on one server",
        files=10_000,
        size=4096,
        tools=(CLOUDSYNC, *GO_TOOLS, AWS),
    ),
    *(
        kind(name=f"{cloud}-{way}", title="{count} x {size} " + way, files=2_000, size=4096, server=server, tools=tools)
        for cloud, server, tools in (("azure", "azurite", (CLOUDSYNC, ADLFS)), ("gcs", "gcs", (CLOUDSYNC, GCSFS)))
        for way, kind in (("up", Upload), ("down", Download))
    ),
    Updates(
        name="channel-publish",
        title="{count} updates of 1 KiB, each an object, published by 4 processes",
        updates=5_000,
        subscribers=0,
        seconds="publishing",
        tools=(CLOUDSYNC,),
        quick=True,
    ),
    Updates(
        name="channel-deliver",
        title="{count} updates of 1 KiB, each an object, delivered to each of 4 processes",
        updates=5_000,
        beforehand=True,
        seconds="receiving",
        tools=(CLOUDSYNC,),
        quick=True,
    ),
    *(
        Updates(
            name=name,
            title="{count} updates of 1 KiB, each an object, from 4 processes to 4 others as they are published",
            updates=5_000,
            interval=interval,
            server=server,
            seconds="receiving",
            tools=(CLOUDSYNC,),
        )
        for name, server, interval in (("channel-both", "synthetic", 0.5), ("channel-both-rclone", "rclone", 2.0))
    ),
    Updates(
        name="channel-batches",
        title="{count} updates of 1 KiB, 100 in an object, from 4 processes to 4 others as they are published",
        updates=20_000,
        batch=100,
        interval=0.5,
        seconds="receiving",
        tools=(CLOUDSYNC,),
    ),
    Updates(
        name="channel-latency",
        title="the median wait of {count} updates from publishing to each of 4 callbacks, looking every second",
        updates=240,
        interval=1.0,
        pace=0.15,
        seconds="wait",
        tools=(CLOUDSYNC,),
    ),
    *(
        Updates(
            name=f"channel-{name}",
            title="{count} updates of 1 KiB, 100 in an object, from 4 processes to 1",
            updates=updates,
            batch=100,
            subscribers=1,
            seconds="receiving",
            interval=0.5,
            tools=(CLOUDSYNC,),
        )
        for name, updates in (("long", 100_000), ("short", 10_000))
    ),
    NextRelease(
        name="release",
        title="a release of {count} x {size}, of which every hundredth is another than in the one before",
        files=10_000,
        size=4096,
        changed=100,
        tools=(CLOUDSYNC,),
        quick=True,
    ),
    Version(
        name="startup-version",
        title="print the version",
        server="none",
        tools=(CLOUDSYNC, RCLONE, S5CMD, AWS),
        quick=True,
    ),
    NothingToDo(
        name="startup-no-op",
        title="nothing to do, {count} x {size} up",
        files=10,
        size=4096,
        server="moto",
        tools=(CLOUDSYNC, RCLONE, S5CMD, AWS),
        quick=True,
    ),
)
