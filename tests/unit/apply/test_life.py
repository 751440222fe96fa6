"""The life of an object through the session, on a real store and a small real world."""

from __future__ import annotations

from tests.support.project import Project, actions


def test_create_no_op_update_replace_delete(project: Project) -> None:
    """Each edit of the script has exactly its effects, a second apply none, and removing the node removes the object."""
    project.declare('Thing("a", size=1)')
    assert project.apply().result == "succeeded"
    assert project.world.log == ["create a"]

    assert project.apply().result == "succeeded"
    assert project.world.log == ["create a"]

    project.declare('Thing("a", size=2)')
    assert project.apply().result == "succeeded"
    assert project.world.log == ["create a", "update a"]

    project.declare('Thing("a", size=2, color="blue")')
    assert actions(project.plan()) == {"a": "replace"}
    assert project.apply().result == "succeeded"
    assert project.world.log[2:] == ["create a", "delete a"]
    (entry,) = project.world.objects.values()
    assert entry["color"] == "blue"

    project.declare("")
    assert project.apply().result == "succeeded"
    assert project.world.objects == {}
    project.require_sound()
