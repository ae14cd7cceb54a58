"""A plan as a table for notebooks."""

from html import escape

from orchestrator.planning.plan_records import Plan


def plan_html(plan: Plan) -> str:
    """Returns the plan as HTML without scripts, in the notebook's own style."""
    head = "".join(f"<th>{escape(name)}</th>" for name in plan.columns)
    rows = "".join("<tr>" + "".join(f"<td>{escape(text)}</td>" for text in row) + "</tr>" for row in plan.table())
    problems = "".join(f"<p><b>does not fit:</b> {escape(stage.infeasible)}</p>" for stage in plan.stages if stage.infeasible)
    title = f"<b>{escape(plan.experiment)}</b> {escape(plan.description)}<br>results in {escape(plan.root)}"
    return f"<p>{title}</p><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{problems}"
