//! How results are written: [`Printer`], as each one is there, so that nothing is lost when the rest is not measured.

use serde_json::Value;

use super::args::Form;
use crate::ui;

/// One cell of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) name: &'static str,
    pub(super) text: String,
    /// Room for the text.
    pub(super) width: usize,
    /// Texts begin on the left, numbers end on the right.
    pub(super) left: bool,
}

impl Cell {
    pub(super) fn number(name: &'static str, width: usize, text: impl ToString) -> Self {
        Self { name, text: text.to_string(), width, left: false }
    }

    pub(super) fn text(name: &'static str, width: usize, text: impl ToString) -> Self {
        Self { name, text: text.to_string(), width, left: true }
    }

    fn padded(&self, text: &str) -> String {
        let width = self.width.max(self.name.len());
        // A bar would end the cell.
        let text = text.replace('|', "\\|");
        if self.left { format!("{text:width$}") } else { format!("{text:>width$}") }
    }
}

/// Writes results to stdout, and to stderr where that was asked for.
#[derive(Debug)]
pub(super) struct Printer(Vec<Output>);

#[derive(Debug)]
struct Output {
    form: Form,
    to_stderr: bool,
    begun: bool,
}

impl Printer {
    pub(super) fn new(form: Form, on_stderr: Option<Form>) -> Self {
        let stderr = on_stderr.map(|form| Output { form, to_stderr: true, begun: false });
        Self(std::iter::once(Output { form, to_stderr: false, begun: false }).chain(stderr).collect())
    }

    /// Writes one result: an object, and what of it stands in a table.
    ///
    /// # Errors
    ///
    /// The system's; a closed pipe among them.
    pub(super) fn row(&mut self, row: &Value, cells: &[Cell]) -> anyhow::Result<()> {
        for output in &mut self.0 {
            let text = row_text(output.form, output.begun, row, cells)?;
            output.begun = true;
            output.write(&text)?;
        }
        Ok(())
    }

    /// Writes what comes after the last result; `notes` stand below a table.
    ///
    /// # Errors
    ///
    /// As [`Self::row`].
    pub(super) fn end(&mut self, notes: &[String]) -> anyhow::Result<()> {
        for output in &mut self.0 {
            let text = match output.form {
                Form::Json if output.begun => "\n]\n".to_owned(),
                Form::Json => "[]\n".to_owned(),
                Form::Md if !notes.is_empty() => format!("\n{}\n", notes.join("\n")),
                _ => String::new(),
            };
            output.write(&text)?;
        }
        Ok(())
    }

    /// Whether there is any result.
    pub(super) fn has_begun(&self) -> bool {
        self.0.iter().any(|output| output.begun)
    }
}

impl Output {
    fn write(&self, text: &str) -> anyhow::Result<()> {
        if self.to_stderr {
            ui::ask(&ui::harmless(text));
        } else {
            ui::result(text)?;
        }
        Ok(())
    }
}

fn row_text(form: Form, begun: bool, row: &Value, cells: &[Cell]) -> anyhow::Result<String> {
    Ok(match form {
        Form::Json => {
            let text = serde_json::to_string_pretty(row)?.replace('\n', "\n  ");
            format!("{}  {text}", if begun { ",\n" } else { "[\n" })
        }
        Form::Jsonl => serde_json::to_string(row)? + "\n",
        Form::Csv => format!("{}{}", if begun { String::new() } else { csv_head(row) }, csv(row)),
        Form::Md => format!("{}{}", if begun { String::new() } else { table_head(cells) }, table_row(cells)),
    })
}

fn table_head(cells: &[Cell]) -> String {
    let names: String = cells.iter().map(|cell| format!(" {} |", cell.padded(cell.name))).collect();
    let rule = |cell: &Cell| {
        let line = "-".repeat(cell.width.max(cell.name.len()) - 1);
        format!(" {line}{} |", if cell.left { '-' } else { ':' })
    };
    format!("|{names}\n|{}\n", cells.iter().map(rule).collect::<String>())
}

fn table_row(cells: &[Cell]) -> String {
    format!("|{}\n", cells.iter().map(|cell| format!(" {} |", cell.padded(&cell.text))).collect::<String>())
}

/// Names and values that are no lists.
fn plain(row: &Value) -> impl Iterator<Item = (&String, &Value)> {
    row.as_object().into_iter().flatten().filter(|(_, value)| !value.is_array())
}

fn csv_head(row: &Value) -> String {
    plain(row).map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(",") + "\n"
}

/// All values in quotes, truths as 1 and 0, as upstream has it.
fn csv(row: &Value) -> String {
    let cell = |value: &Value| match value {
        Value::String(text) => format!("\"{}\"", text.replace('"', "\"\"")),
        Value::Bool(is) => format!("\"{}\"", u8::from(*is)),
        Value::Null => "\"\"".to_owned(),
        value => format!("\"{value}\""),
    };
    plain(row).map(|(_, value)| cell(value)).collect::<Vec<_>>().join(",") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn written(form: Form, rows: &[Value]) -> String {
        let cells = |row: &Value| {
            vec![Cell::text("model", 8, row["m"].as_str().unwrap()), Cell::number("t/s", 6, row["x"].clone())]
        };
        rows.iter().enumerate().map(|(i, row)| row_text(form, i > 0, row, &cells(row)).unwrap()).collect()
    }

    #[test]
    fn each_form_is_what_its_readers_expect() {
        let rows =
            [json!({ "m": "a\"b|c", "x": 1.5, "is": true, "no": null, "all": [1, 2] }), json!({ "m": "d", "x": 2 })];
        let array = written(Form::Json, &rows) + "\n]\n";
        assert_eq!(serde_json::from_str::<Vec<Value>>(&array).unwrap(), rows);
        let lines = written(Form::Jsonl, &rows);
        let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines, rows);
        assert_eq!(written(Form::Csv, &rows[..1]), "m,x,is,no\n\"a\"\"b|c\",\"1.5\",\"1\",\"\"\n");
        let table = "| model    |    t/s |\n| -------- | -----: |\n| a\"b\\|c   |    1.5 |\n| d        |      2 |\n";
        assert_eq!(written(Form::Md, &rows), table);
    }
}
