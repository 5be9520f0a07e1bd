"""What the service tells of itself: events from an allow-list, to the log, Sentry and App Insights.

`events.py` is what the service uses; `allow_list.py` is what may be said; the rest is how it gets
there. The two SDKs are known to one file each: `sentry_client.py` and `opencensus_handler.py`.
"""
