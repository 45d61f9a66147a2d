//! Writes the seeds of the fuzz targets into their corpus: `cargo run -p tidegate-decoders`.

use tidegate_decoders::seeds;

fn main() -> std::io::Result<()> {
    for seed in seeds::all() {
        let folder = seeds::corpus().join(seed.target);
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join(&seed.name), &seed.bytes)?;
    }
    Ok(())
}
