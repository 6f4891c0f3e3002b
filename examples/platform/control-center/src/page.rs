//! The pages. Everything that came from outside is escaped.

use std::fmt::Write as _;

use platform_types::Workflow;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}\
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.4rem .8rem;border-bottom:1px solid #ccc}\
pre{background:#f4f4f4;padding:.8rem;overflow:auto}.succeeded{color:#05691b}.failed{color:#a40000}";

/// All workflows.
pub fn list(workflows: &[Workflow]) -> String {
    let mut body = String::from("<h1>Workflows</h1>");
    if workflows.is_empty() {
        body.push_str("<p>None yet. <code>provisioning workflow submit FILE</code> submits one.</p>");
        return frame("Workflows", &body);
    }
    body.push_str("<table><tr><th>Workflow<th>State<th>Steps<th>Submitted</tr>");
    for workflow in workflows {
        write!(
            body,
            "<tr><td><a href=\"/workflows/{id}\">{name}</a><td class=\"{state}\">{state}<td>{steps}<td>{at}</tr>",
            id = escaped(&workflow.id),
            name = escaped(&workflow.name),
            state = workflow.state.as_str(),
            steps = workflow.steps.len(),
            at = escaped(&workflow.submitted_at),
        )
        .expect("a String takes every write");
    }
    body.push_str("</table>");
    frame("Workflows", &body)
}

/// One workflow with the output of its steps.
pub fn workflow(workflow: &Workflow) -> String {
    let name = escaped(&workflow.name);
    let state = workflow.state.as_str();
    let mut body = format!("<p><a href=\"/\">All workflows</a></p><h1>{name}</h1><p class=\"{state}\">{state}</p>");
    for step in &workflow.steps {
        write!(
            body,
            "<h2>{}</h2><p class=\"{state}\">{state}</p><pre>{}</pre>",
            escaped(&step.name),
            escaped(&step.output),
            state = step.state.as_str(),
        )
        .expect("a String takes every write");
    }
    frame(&name, &body)
}

/// What went wrong.
pub fn trouble(cause: &str) -> String {
    frame("Control centre", &format!("<h1>Control centre</h1><p role=\"alert\">{}</p>", escaped(cause)))
}

fn frame(title: &str, body: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{title}</title><style>{STYLE}</style><main>{body}</main></html>"
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use platform_types::Submission;

    #[test]
    fn a_workflow_s_name_and_output_cannot_add_markup() {
        let json = r#"{"name": "<script>1</script>", "steps": [{"run": ["server", "list"]}]}"#;
        let submission: Submission = serde_json::from_str(json).unwrap();
        let mut one = submission.accept("wf-1".into(), "2025-10-01T00:00:00Z".into());
        one.steps[0].output = "<img onerror=x>".into();
        for page in [list(std::slice::from_ref(&one)), workflow(&one)] {
            assert!(page.contains("&lt;script&gt;"), "{page}");
            assert!(!page.contains("<script>") && !page.contains("<img"), "{page}");
        }
    }

    #[test]
    fn an_empty_list_says_how_to_submit_a_workflow() {
        assert!(list(&[]).contains("provisioning workflow submit"));
    }
}
