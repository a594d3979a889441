//! A feed's lines on the rung asked for, or on the next that this machine has.

use super::xdp::XdpSource;
use super::{MulticastReceiver, OpenError, Receive, ReceiverConfig, RecoveryClient, UdpSource};
use crate::source::Source;

/// What [`open_lines`] opened.
pub struct Opened {
    /// The lines and the recovery.
    pub source: Box<dyn Source>,
    /// How datagrams are received now.
    pub receive: Receive,
    /// Socket buffer that the kernel granted for each line, bytes, in order; empty for AF_XDP.
    pub buffer_bytes: Vec<usize>,
    /// Each rung that was refused and why, for the log; and in which mode AF_XDP runs.
    pub notes: Vec<String>,
}

/// Opens lines A and B as their configuration says; where the kernel refuses a rung, the next one
/// below, with the reason in [`Opened::notes`].
///
/// # Errors
/// [`OpenError`] of the lowest rung, or of what no rung can mend: a port that is taken, a group
/// that cannot be joined.
pub fn open_lines(
    configs: &[ReceiverConfig],
    open_recovery: &mut dyn FnMut() -> Result<Option<RecoveryClient>, OpenError>,
) -> Result<Opened, OpenError> {
    let mut receive = configs
        .first()
        .map_or(Receive::default(), |config| config.receive);
    let mut notes = Vec::new();
    loop {
        match open_on(receive, configs, open_recovery) {
            Ok((source, buffer_bytes, note)) => {
                notes.extend(note);
                return Ok(Opened {
                    source,
                    receive,
                    buffer_bytes,
                    notes,
                });
            }
            Err(error) => match (&error, receive.below()) {
                (
                    OpenError::Xdp { .. } | OpenError::Ring { .. } | OpenError::Option { .. },
                    Some(below),
                ) => {
                    notes.push(format!(
                        "{receive} is refused ({}); {below} instead",
                        with_cause(&error)
                    ));
                    receive = below;
                }
                _ => return Err(error),
            },
        }
    }
}

type Lines = (Box<dyn Source>, Vec<usize>, Option<String>);

fn open_on(
    receive: Receive,
    configs: &[ReceiverConfig],
    open_recovery: &mut dyn FnMut() -> Result<Option<RecoveryClient>, OpenError>,
) -> Result<Lines, OpenError> {
    if receive == Receive::AfXdp {
        let source = XdpSource::open(configs, open_recovery()?)?;
        let note = Some(format!("af_xdp, {}", source.mode()));
        return Ok((Box::new(source), Vec::new(), note));
    }
    let lines = configs
        .iter()
        .map(|config| {
            MulticastReceiver::open(&ReceiverConfig {
                receive,
                ..config.clone()
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    let granted = lines.iter().map(MulticastReceiver::buffer_bytes).collect();
    let source = UdpSource::new(lines, open_recovery()?);
    Ok((Box::new(source), granted, None))
}

fn with_cause(error: &OpenError) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}
