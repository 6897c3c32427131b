"""A stream of Amazon Kinesis: the records of all shards, each from where it was read last."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from tea_runner.core.errors import OutsideError
from tea_runner.triggers.message import Message, SourceOptions

#: Seconds between two requests for the records of a shard; Kinesis allows five a second.
_PAUSE = 1.0
_AT_ONCE = 500


class Kinesis:
    """Messages of one stream; ``url`` is of a server other than Amazon's."""

    def __init__(self, options: SourceOptions) -> None:
        self._stream = options.stream
        self._variables = options.variables
        self._endpoint = options.url
        self._largest = options.largest

    def messages(self, offset: str, stopped: Callable[[float], bool]) -> Iterator[Message]:
        """See :class:`~tea_runner.triggers.message.MessageSource`."""
        import boto3  # type: ignore[import-untyped]
        from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]

        client = boto3.client(
            "kinesis",
            endpoint_url=self._endpoint or None,
            region_name=self._variables.get("AWS_REGION", "us-east-1"),
            aws_access_key_id=self._variables.get("AWS_ACCESS_KEY_ID"),
            aws_secret_access_key=self._variables.get("AWS_SECRET_ACCESS_KEY"),
        )
        try:
            yield from self._read(client, _parse(offset), stopped)
        except (BotoCoreError, ClientError) as error:
            raise OutsideError(f"the stream does not answer: {type(error).__name__}") from error
        finally:
            client.close()

    def _read(
        self, client: Any, read: dict[str, str], stopped: Callable[[float], bool]
    ) -> Iterator[Message]:
        iterators: dict[str, str | None] = {}
        while True:
            for shard in self._shards(client):
                if shard not in iterators:
                    iterators[shard] = self._iterator(client, shard, read.get(shard, ""))
            for shard, iterator in iterators.items():
                if iterator is None:
                    continue  # The shard was closed, and all of it was read.
                answer = client.get_records(ShardIterator=iterator, Limit=_AT_ONCE)
                iterators[shard] = answer.get("NextShardIterator")
                for record in answer["Records"]:
                    read = {**read, shard: record["SequenceNumber"]}
                    data = record["Data"]
                    too_large = len(data) > self._largest
                    yield Message(
                        id=f"{shard}:{record['SequenceNumber']}",
                        offset=json.dumps(read, sort_keys=True),
                        data=b"" if too_large else data,
                        refusal="the record is too large" if too_large else "",
                    )
            if stopped(_PAUSE):
                return

    def _shards(self, client: Any) -> list[str]:
        found: list[str] = []
        answer = client.list_shards(StreamName=self._stream)
        while True:
            found += [shard["ShardId"] for shard in answer["Shards"]]
            if not answer.get("NextToken"):
                return found
            answer = client.list_shards(NextToken=answer["NextToken"])

    def _iterator(self, client: Any, shard: str, after: str) -> str | None:
        where = (
            {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": after}
            if after
            else {"ShardIteratorType": "TRIM_HORIZON"}
        )
        answer = client.get_shard_iterator(StreamName=self._stream, ShardId=shard, **where)
        iterator: str = answer["ShardIterator"]
        return iterator


def _parse(offset: str) -> dict[str, str]:
    try:
        found = json.loads(offset or "{}")
    except ValueError:
        return {}
    return (
        {str(shard): str(number) for shard, number in found.items()}
        if isinstance(found, dict)
        else {}
    )
