"""What each route asks of whoever requests it; a route that is not listed here answers nobody."""

from __future__ import annotations

from collections.abc import Mapping

from tea_runner.core.access import Requirement

#: By endpoint.  READ and WRITE are about the repository that the address names by ``owner`` and ``name``,
#: by ``run`` or by ``job``.
REQUIREMENTS: Mapping[str, Requirement] = {
    "static": Requirement.NOTHING,
    # Deliveries have signatures.
    "hooks.deliver": Requirement.NOTHING,
    # Its senders have secrets, tokens or addresses.
    "hooks.event": Requirement.NOTHING,
    "health.healthz": Requirement.NOTHING,
    # Strangers learn no version of which they may know a fault.
    "health.version": Requirement.ACCOUNT,
    # It shows its details to holders of the metrics' token only.
    "health.readyz": Requirement.NOTHING,
    "metrics.metrics": Requirement.METRICS,
    "sign_in.page": Requirement.NOTHING,
    "sign_in.sign_in": Requirement.NOTHING,
    "sign_in.to_forge": Requirement.NOTHING,
    "sign_in.callback": Requirement.NOTHING,
    "sign_in.sign_out": Requirement.NOTHING,
    "api.openapi": Requirement.NOTHING,
    "api.repositories": Requirement.LIST,
    "api.runs": Requirement.LIST,
    "api.find": Requirement.LIST,
    "api.run": Requirement.READ,
    "api.datums": Requirement.READ,
    "api.job": Requirement.READ,
    "api.log": Requirement.READ,
    "api.log_events": Requirement.READ,
    "api.plan": Requirement.READ,
    "api.status": Requirement.READ,
    "api.why": Requirement.READ,
    "api.lineage": Requirement.READ,
    "api.workers": Requirement.ACCOUNT,
    "api.cancel_run": Requirement.WRITE,
    "api.cancel_job": Requirement.WRITE,
    "api.retry_run": Requirement.WRITE,
    "api.retry_job": Requirement.WRITE,
    "api.recompute_run": Requirement.WRITE,
    "api.recompute_job": Requirement.WRITE,
    "pages.pull_requests": Requirement.READ,
    "pages.ask_pull_request": Requirement.WRITE,
    "pages.do_pull_request": Requirement.WRITE,
    "api.pull_requests": Requirement.READ,
    "api.approve_pull_request": Requirement.WRITE,
    "api.approve_run": Requirement.WRITE,
    # It shows the whole server, and what the viewer may read.
    "api.pauses": Requirement.ACCOUNT,
    "api.pause_repository": Requirement.WRITE,
    "api.trigger_pipeline": Requirement.WRITE,
    "api.resume_repository": Requirement.WRITE,
    "api.pause_all": Requirement.OPERATOR,
    "api.resume_all": Requirement.OPERATOR,
    "pages.ask_repository": Requirement.WRITE,
    "pages.do_repository": Requirement.WRITE,
    "pages.ask_server": Requirement.OPERATOR,
    "pages.do_server": Requirement.OPERATOR,
    # A session has tokens; no token makes another.
    "pages.tokens": Requirement.ACCOUNT,
    "pages.make_token": Requirement.ACCOUNT,
    "pages.revoke_token": Requirement.ACCOUNT,
    # It says nothing of any repository.
    "pages.api": Requirement.NOTHING,
    "pages.home": Requirement.LIST,
    "pages.home_json": Requirement.LIST,
    "pages.repository": Requirement.READ,
    "pages.repository_events": Requirement.READ,
    # It is of repositories that everybody may read on the forge.
    "pages.badge": Requirement.NOTHING,
    "pages.run_events": Requirement.READ,
    "pages.job_events": Requirement.READ,
    "pages.log_events": Requirement.READ,
    "pages.run": Requirement.READ,
    "pages.graph": Requirement.READ,
    # It has the runs of the repositories that the viewer may read.
    "pages.downstream": Requirement.READ,
    "pages.downstream_json": Requirement.READ,
    "pages.job": Requirement.READ,
    "pages.log": Requirement.READ,
    "pages.datum": Requirement.READ,
    "pages.picture": Requirement.READ,
    "pages.previous_picture": Requirement.READ,
    "pages.ask_run": Requirement.WRITE,
    "pages.do_run": Requirement.WRITE,
    "pages.ask_trigger": Requirement.WRITE,
    "pages.do_trigger": Requirement.WRITE,
    "pages.ask_job": Requirement.WRITE,
    "pages.do_job": Requirement.WRITE,
    "pages.workers": Requirement.ACCOUNT,
    "pages.workers_json": Requirement.ACCOUNT,
    # They list what the viewer may read.
    "pages.events": Requirement.ACCOUNT,
    "pages.events_json": Requirement.ACCOUNT,
    # It shows the settings to operators only.
    "pages.about": Requirement.ACCOUNT,
    "pages.about_json": Requirement.ACCOUNT,
}
