//! Whose vectors answer, and how a change of model gets on.

use super::Page;
use crate::app::App;

pub(super) fn models(app: &App, page: &mut Page) {
    let (now, change) = (app.node.model(), app.node.model_change());
    let name = "ouzel_embedding_model";
    let what = "The model whose vectors answer (stage now), the one to come, and the earlier ones that are kept.";
    page.family(name, "gauge", what);
    page.sample(name, &[("stage", "now"), ("model", &now.id)], 1);
    if let Some(change) = &change {
        page.sample(name, &[("stage", "coming"), ("model", &change.to.id)], 1);
    }
    let earlier = app.node.earlier_models();
    for of in &earlier {
        page.sample(name, &[("stage", "past"), ("model", &of.made_by.id)], 1);
    }
    let (done, of, waits) = change.map_or((0, 0, false), |change| {
        (change.done, change.of, change.waits.is_some())
    });
    let behind = earlier.iter().map(|earlier| earlier.behind).max();
    for (name, what, value) in [
        (
            "ouzel_reembed_texts_done",
            "Passages that have a vector of the model to come; 0 while none is.",
            done,
        ),
        (
            "ouzel_reembed_texts",
            "Passages that are to have one, superseded ones included.",
            of,
        ),
        (
            "ouzel_reembed_waiting",
            "Whether the change of model does not get on: GET /v1/embedding says why.",
            u64::from(waits),
        ),
        (
            "ouzel_reembed_past_behind_entries",
            "Entries that an earlier model's vectors have yet to look at for history that came late.",
            behind.unwrap_or(0),
        ),
    ] {
        page.family(name, "gauge", what);
        page.sample(name, &[], value);
    }
}
