"""Trainings against each other over seeds: what a change does, which value wins, what the report claims, what a step takes."""

from orchestrator.report.study.analysis import Analysis, analyse

__all__ = ["Analysis", "analyse"]
