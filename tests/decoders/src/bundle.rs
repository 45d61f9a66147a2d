//! Programme bundles: compiled, said back, numbered, and compiled again with their numbers.
//!
//! An input is the text of `programme.toml`; behind a byte 0x1e stand further files, each a line with its name and then its
//! text.

use tidegate::programme::{Bundle, BundleFile, Numbering, compile};

/// What stands between files.
pub(crate) const BETWEEN: char = '\x1e';

/// Whatever stands in a bundle.
pub fn bundle(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut texts = text.split(BETWEEN);
    let main = texts.next().expect("a split has a first part");
    let mut files = vec![BundleFile { name: "programme.toml".into(), text: main.into() }];
    files.extend(texts.map(|file| {
        let (name, text) = file.split_once('\n').unwrap_or((file, ""));
        BundleFile { name: name.into(), text: text.into() }
    }));
    let Ok(bundle) = Bundle::from_files(files) else { return };
    let slug = bundle.slug();
    let compiled = match compile(&bundle, &Numbering::default()) {
        Ok(compiled) => compiled,
        Err(report) => {
            assert!(!report.findings.is_empty(), "a refusal says why");
            assert!(!report.to_string().is_empty(), "in words");
            return;
        }
    };
    assert_eq!(slug.ok().as_ref(), Some(&compiled.programme.slug));
    assert!(!compiled.programme.describe().is_empty(), "a programme's rules can be said back");
    let numbering = compiled.numbering.to_text();
    let numbering = Numbering::from_text(&numbering).expect("its own text");
    assert_eq!(numbering, compiled.numbering);
    let again = compile(&bundle, &numbering).expect("what compiled once compiles with its numbers");
    assert_eq!(again.numbering, numbering, "a numbering that has everything gives nothing new");
    assert_eq!(
        again.programme.describe(),
        compiled.programme.describe(),
        "the same bundle with the same numbers is the same programme"
    );
    for ms in [0, 1_773_972_000_000, 4_102_444_800_000] {
        for campaign in &compiled.programme.campaigns {
            let span = campaign.window.at(ms);
            assert_eq!(span, campaign.window.at(ms), "a window depends on nothing but the instant");
        }
    }
}
