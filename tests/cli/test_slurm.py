"""Inside a SLURM job, signals are ours: Lightning neither swallows nor requeues."""

import pytest
from pytorch_lightning.plugins.environments import SLURMEnvironment

from hespotex.records.build import build_trainer

TRAINER = {
    "_target_": "pytorch_lightning.Trainer",
    "accelerator": "cpu",
    "devices": 1,
    "precision": "32-true",
    "logger": False,
    "enable_checkpointing": False,
}
JOB = {
    "SLURM_NTASKS": "1",
    "SLURM_JOB_NAME": "train",
    "SLURM_JOB_ID": "7",
    "SLURM_PROCID": "0",
    "SLURM_LOCALID": "0",
    "SLURM_NODEID": "0",
}


def test_lightning_does_not_requeue(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in JOB.items():
        monkeypatch.setenv(name, value)
    environment = build_trainer({"trainer": TRAINER})._accelerator_connector.cluster_environment
    assert isinstance(environment, SLURMEnvironment) and not environment.auto_requeue


def test_elsewhere_there_is_no_slurm() -> None:
    connector = build_trainer({"trainer": TRAINER})._accelerator_connector
    assert not isinstance(connector.cluster_environment, SLURMEnvironment)
