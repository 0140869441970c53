//! Numbers of several rounds, and tables of them.

/// The value below which this share of the samples lies.
pub(crate) fn quantile(samples: &[f64], share: f64) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a share of a few thousand"
    )]
    let index = (share * sorted.len() as f64) as usize;
    sorted[index.min(sorted.len() - 1)]
}

pub(crate) fn median(samples: &[f64]) -> f64 {
    quantile(samples, 0.5)
}

/// The median of what each round of one was to the same round of another.
pub(crate) fn pairs(samples: &[f64], others: &[f64]) -> f64 {
    let ratios: Vec<_> = samples.iter().zip(others).map(|(one, other)| one / other).collect();
    median(&ratios)
}

/// The median, and between which values all rounds were.
pub(crate) fn spread(samples: &[f64], decimals: usize) -> String {
    let (least, most) = (quantile(samples, 0.0), quantile(samples, 1.0));
    format!("{:.decimals$} ({least:.decimals$}-{most:.decimals$})", median(samples))
}

/// Prints rows below a title, the first of them the head.
pub(crate) fn print(title: &str, rows: &[Vec<String>]) {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
    };
    let widths: Vec<_> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    println!("\n{title}\n");
    for (index, row) in rows.iter().enumerate() {
        let cells = widths.iter().enumerate().map(|(column, &width)| {
            let cell = row.get(column).map_or("", String::as_str);
            format!(" {cell:width$} |")
        });
        println!("|{}", cells.collect::<String>());
        if index == 0 {
            let rule = widths.iter().map(|width| format!("{}|", "-".repeat(width + 2)));
            println!("|{}", rule.collect::<String>());
        }
    }
}

/// A row of cells.
pub(crate) fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_owned).into()
}
