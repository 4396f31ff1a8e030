"""A secret in a pasted configuration is masked as it is read, and nowhere after that."""

from __future__ import annotations

import pytest

from producer_agent.advice.check.configuration_check import check
from producer_agent.advice.check.configuration_text import read
from producer_agent.advice.check.pasted import ConfigurationUnreadable, is_secret

SECRET = "Zq7fKx93mWv"
NAMES = [
    "sasl.password", "ssl.key.password", "ssl.keystore.password", "sasl.jaas.config",
    "sasl.oauthbearer.client.secret", "basic.auth.user.info", "ssl.key.pem", "my.api.key",
    "sasl.oauthbearer.assertion.private.key.passphrase", "sasl_plain_password", "sasl.pasword",
    "producer.override.sasl.jaas.config", "some.access.token",
]  # fmt: skip
SHAPES = [
    '{{"{name}": "{value}", "acks": "all"}}',
    "conf = {{'{name}': '{value}', 'acks': 'all'}}",
    "conf = {{'acks': 'all'}}\nconf['{name}'] = os.getenv('X', '{value}')",
    "conf = {{'acks': 'all', '{name}': 'a' + decrypt('{value}')}}",
    "acks=all\n{name}={value}\n",
    "acks=all\n{name}=${{X:{value}}}\n",
    "spring:\n  kafka:\n    producer:\n      acks: all\n      properties:\n"
    "        {name}: {value}\n",
    "spring.kafka.producer.acks=all\nspring.kafka.producer.properties.{name}={value}\n",
    'props.put(ProducerConfig.ACKS_CONFIG, "all");\nprops.put("{name}", "{value}");\n',
]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", NAMES)
def test_a_secret_is_nowhere_in_what_is_read_or_said(name: str, shape: str) -> None:
    pasted = read(shape.format(name=name, value=SECRET))
    assert pasted.entries
    assert SECRET not in repr(pasted)
    assert SECRET not in repr(check(pasted))


@pytest.mark.parametrize(
    "text",
    [
        f"acks=all\nclient.id=http://me:{SECRET}@host/x\n",
        f"acks=all\nclient.id=user=me;password={SECRET}\n",
        f'acks=all\nx.config=a.PlainLoginModule required username="u" password="{SECRET}";\n',
        f"conf = {{'acks': 1, 'x.y': '''-----BEGIN KEY-----\n{SECRET}\n-----END KEY-----'''}}",
        f"acks=all\nx.y=-----BEGIN KEY-----\n{SECRET}\n-----END KEY-----\n",
        f"acks=all\nx.y=-----BEGIN KEY-----{SECRET}\n",
        f"# sasl.password={SECRET}\nacks=all\n",
    ],
)
def test_a_secret_in_the_midst_of_a_value_is_masked_as_well(text: str) -> None:
    pasted = read(text)
    assert SECRET not in repr(pasted)
    assert SECRET not in repr(check(pasted))


@pytest.mark.parametrize(
    "text",
    [
        f"acks=all\n{SECRET}\n",
        f"a:\n  sasl.password: *{SECRET}\n",
        f"conf = {{'sasl.password': '{SECRET}'",
        f"{{'a': {SECRET}) '",
    ],
)
def test_a_text_that_cannot_be_read_is_not_quoted(text: str) -> None:
    with pytest.raises(ConfigurationUnreadable) as caught:
        read(text)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "name",
    ["acks", "sasl.username", "ssl.key.location", "sasl.oauthbearer.token.endpoint.url",
     "sasl.oauthbearer.assertion.private.key.file", "key.serializer", "compression.type"],
)  # fmt: skip
def test_what_is_no_secret_is_shown(name: str) -> None:
    assert not is_secret(name)
