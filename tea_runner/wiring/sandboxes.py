"""Environments, limits and secrets of pipelines' commands."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from tea_runner.core.errors import SettingsError, TeaError
from tea_runner.core.planning.worker_requirement import OF_ENVIRONMENT, Need
from tea_runner.host.tool_search_path import tool_path
from tea_runner.wiring.process_settings import ProcessSettings

if TYPE_CHECKING:
    from tea_runner.core.pipeline import Pipeline
    from tea_runner.core.planning.job import Job
    from tea_runner.core.spec.image_reference import ImageReference
    from tea_runner.core.spec.resource_allowance import ResourceAllowance
    from tea_runner.core.spec.unmet_needs import Offer
    from tea_runner.host.resource_ledger import ResourceLedger
    from tea_runner.ports import Images
    from tea_runner.sandbox.execution_environment import Environment, Limits
    from tea_runner.sandbox.image_policy import ImagePolicy
    from tea_runner.sandbox.image_registry import ImageRegistries
    from tea_runner.sandbox.kinds import EnvironmentChoice
    from tea_runner.sandbox.pipeline_secrets import GivenSecrets, PipelineSecret
    from tea_runner.sandbox.scan_outputs import OutputLimits


#: Seconds for which the answer of a container engine counts.
_ENGINE_ANSWER = 60.0


class SandboxSite(ProcessSettings):
    """Environments of commands on this host."""

    @cached_property
    def environment_choice(self) -> EnvironmentChoice:
        """The operator's decisions about environments."""
        from tea_runner.sandbox.kinds import EnvironmentChoice
        from tea_runner.sandbox.network_filter import NetworkAccess

        sandbox = self.settings.sandbox
        engines = [kind for kind in self.settings.environments if kind != "host"]
        path_is_set = self.settings.source("sandbox.path") != "default"
        return EnvironmentChoice(
            sandbox="off" if sandbox.kind == "off" else "host",
            container=engines[0] if engines else "",
            binds=tuple(sandbox.binds),
            path=sandbox.path if path_is_set else "",
            etc_root=self.state_folder / "etc",
            network=NetworkAccess(
                shared=sandbox.share_host_network,
                allowed=sandbox.allowed_addresses,
                engine_network=sandbox.engine_network,
            ),
            require_cgroup=sandbox.require_cgroup,
            variables=self.variables,
            images=self.image_policy,
        )

    @property
    def software(self) -> str:
        """Identity of the software that commands without an image see; empty for none."""
        from tea_runner.sandbox.software_identity import software_identity

        return software_identity(self.settings.sandbox.identity, self.settings.sandbox.path)

    @property
    def offer(self) -> Offer:
        """What commands get on this host."""
        from tea_runner.core.spec.unmet_needs import Offer

        return Offer(
            network=self.settings.sandbox.network,
            images=bool(self.environment_choice.container),
            secrets=frozenset(secret.name for secret in self.settings.secrets),
            resources=self.ledger.offered,
        )

    def offers(self) -> tuple[Need, ...]:
        """Needs of the jobs that a worker of this host can do now; the engine is asked every minute."""
        now = time.monotonic()
        if not self._offered or now - self._offered[-1][0] > _ENGINE_ANSWER:
            self._offered[:] = [(now, tuple(self._offers()))]
        return self._offered[-1][1]

    @cached_property
    def _offered(self) -> list[tuple[float, tuple[Need, ...]]]:
        """The last :meth:`offers`, with the time on the monotonic clock."""
        return []

    def _offers(self) -> list[Need]:
        from tea_runner.sandbox.kinds import KINDS, memory_refusal

        choice = self.environment_choice
        offers: list[Need] = ["host"] if "host" in self.settings.environments else []
        if choice.container:
            try:
                usable = KINDS[choice.container](choice).check() is None
            except TeaError:
                usable = False
            if usable and not memory_refusal(choice.container, choice):
                offers.append(OF_ENVIRONMENT[choice.container])
        return offers

    @cached_property
    def ledger(self) -> ResourceLedger:
        """What this host offers, and what its jobs have reserved.

        :raises OutsideError: when the state folder cannot be made.
        """
        from tea_runner.core.resource_demand import OfferedResources
        from tea_runner.host.machine_resources import machine_resources
        from tea_runner.host.resource_ledger import ResourceLedger

        found, said = machine_resources(self.settings.scratch), self.settings.worker.offers
        if said is not None:
            found = OfferedResources(
                cpus=found.cpus if said.cpus is None else said.cpus,
                memory=found.memory if said.memory is None else said.memory,
                disk=found.disk if said.disk is None else said.disk,
                gpus=found.gpus if said.gpus is None else said.gpus,
                gpu_type=said.gpu_type or found.gpu_type,
                labels=said.labels,
            )
        return ResourceLedger(self.state_folder / "reservations", found)

    @cached_property
    def image_policy(self) -> ImagePolicy:
        """The operator's decisions about images.

        :raises SettingsError: for a malformed name.
        """
        from tea_runner.sandbox.image_policy import ImagePolicy, parse_names

        images = self.settings.images
        try:
            names = parse_names(images.names)
        except ValueError as error:
            raise SettingsError(
                f"images.names: {error} is no name and image", hint="write NAME=IMAGE"
            ) from error
        return ImagePolicy(
            tags=images.tags, pull=images.pull, names=names, registries=images.registries
        )

    @cached_property
    def images(self) -> Images:
        """Finds the digests of images that pipelines name without one."""
        from tea_runner.sandbox.container_engine import ContainerEngine
        from tea_runner.sandbox.image_lookup import ImageLookup
        from tea_runner.sandbox.kinds import KINDS

        choice = self.environment_choice
        engine = KINDS[choice.container](choice) if choice.container else None
        if isinstance(engine, ContainerEngine):
            return ImageLookup(self.image_policy, self._ask_registry, engine.local_image)
        return ImageLookup(self.image_policy, self._ask_registry)

    def _ask_registry(self, image: ImageReference) -> str:
        return self._registries.digest(image)

    @cached_property
    def _registries(self) -> ImageRegistries:
        """The client of registries, whose libraries most commands do not need."""
        from tea_runner.sandbox.image_registry import ImageRegistries

        return ImageRegistries(
            self.variables,
            plain=self.image_policy.plain,
            timeout=self.settings.images.timeout,
            ca_file=str(self.settings.images.ca_file or ""),
        )

    @cached_property
    def host(self) -> Environment:
        """Environment of commands without an image; not checked yet."""
        from tea_runner.sandbox.kinds import KINDS

        return KINDS[self.environment_choice.sandbox](self.environment_choice)

    def environment(self, pipeline: Pipeline) -> Environment:
        """The environment of a pipeline's command.

        :raises Refused: when this host does not have it; nothing weaker is used instead.
        """
        from tea_runner.sandbox.kinds import choose_environment

        image = pipeline.transform.image
        if bool(image) not in self._environments:
            self._environments[bool(image)] = choose_environment(image, self.environment_choice)
        return self._environments[bool(image)]

    @cached_property
    def _environments(self) -> dict[bool, Environment]:
        """Environments by whether the pipeline names an image."""
        return {}

    def remove_containers_of_dead_workers(self) -> Sequence[str]:
        """Remove containers that workers of this host left running when they died.

        :returns: their names; empty where the settings have no container engine.
        :raises OutsideError: when the engine does not answer.
        """
        from tea_runner.sandbox.container_engine import ContainerEngine
        from tea_runner.sandbox.kinds import KINDS

        choice = self.environment_choice
        engine = KINDS[choice.container](choice) if choice.container else None
        if not isinstance(engine, ContainerEngine):
            return ()
        return engine.remove_containers_of_dead_workers()

    @property
    def limits(self) -> Limits:
        """Resource limits of one command."""
        from tea_runner.sandbox.execution_environment import Limits

        sandbox = self.settings.sandbox
        return Limits(
            memory=sandbox.memory or None,
            processes=sandbox.processes,
            wall_clock=sandbox.wall_clock or None,
            file_size=sandbox.file_size,
            git_file_size=sandbox.git_file_size,
            output_bytes=sandbox.output_bytes,
            output_files=sandbox.output_files,
        )

    @property
    def allowed_resources(self) -> ResourceAllowance:
        """The most that a pipeline may ask for."""
        from tea_runner.core.spec.resource_allowance import ResourceAllowance

        most, sandbox = self.settings.resources, self.settings.sandbox
        return ResourceAllowance(
            cpu=most.cpu,
            memory=(sandbox.memory or None) if most.memory is None else most.memory,
            disk=most.disk,
            gpu=most.gpu,
        )

    @property
    def output_limits(self) -> OutputLimits:
        """Limits of one command's results."""
        from tea_runner.sandbox.scan_outputs import OutputLimits

        sandbox = self.settings.sandbox
        return OutputLimits(
            size=sandbox.output_bytes,
            files=sandbox.output_files,
            names=self.settings.outputs.names,
        )

    @property
    def pipeline_secrets(self) -> Sequence[PipelineSecret]:
        """Secrets that commands on this host may ask for."""
        from tea_runner.sandbox.pipeline_secrets import PipelineSecret

        return [
            PipelineSecret(name=secret.name, file=secret.file, repositories=secret.repositories)
            for secret in self.settings.secrets
        ]

    def give_secrets(self, job: Job, pipeline: Pipeline, folder: Path) -> GivenSecrets:
        """The secrets of a job's command, written below *folder* where they are files.

        :raises Refused: when the pipeline asks for a secret that it may not have.
        """
        from tea_runner.sandbox.pipeline_secrets import give_secrets

        return give_secrets(
            pipeline.transform.secrets,
            self.pipeline_secrets,
            repository=job.repository,
            trusted=not job.scope,
            folder=folder,
        )

    @cached_property
    def versions(self) -> Mapping[str, str]:
        """Versions of git, git-annex and DataLad on this host."""
        from tea_runner.host.tool_versions import tool_versions

        return tool_versions(tool_path(self.variables))
