//! What people wish of a convoy that was founded on the roadside: the disk and the network first, then the core.

use crate::api::Answer;
use crate::core::id::ConvoyId;
use crate::core::io::{Input, RequestId};
use crate::core::request::{Command, Done, Gathering, Reach, Refusal};
use crate::core::roadside::Roadside;
use crate::core::ticket::WallTime;
use crate::host;
use crate::link::lan::Founding;
use tokio::sync::{mpsc, oneshot};

pub(super) type Reply = oneshot::Sender<Result<Answer, Refusal>>;

/// The way of one command to the core, and of its answer back.
pub(super) struct Core {
    pub(super) request: RequestId,
    pub(super) answer: oneshot::Receiver<Result<Answer, Refusal>>,
    pub(super) inputs: mpsc::Sender<Input>,
}

impl Core {
    /// Joins the convoy that this car founded or was let into.
    async fn join(self, roadside: &Roadside) -> Result<Answer, Refusal> {
        // Fails only when the head unit shuts down, as the command then does.
        let _ = self.inputs.send(Input::LetIn(Box::new(roadside.credentials()))).await;
        self.obey(Command::Join { convoy: roadside.convoy.clone() }).await
    }

    pub(super) async fn obey(self, command: Command) -> Result<Answer, Refusal> {
        let ends = || Refusal::Failed("the head unit is shutting down".into());
        let Self { request, answer, inputs } = self;
        inputs.send(Input::Command { request, command }).await.map_err(|_| ends())?;
        answer.await.map_err(|_| ends())?
    }
}

/// Founds, or is let in, and then has the core join. `current` is the convoy that this car is in.
pub(super) fn fulfil(wish: Gathering, current: Option<ConvoyId>, founding: Founding, core: Core, reply: Reply) {
    tokio::spawn(async move {
        // Whoever asked may have gone.
        let _ = reply.send(act(wish, current, &founding, core).await);
    });
}

async fn act(wish: Gathering, current: Option<ConvoyId>, founding: &Founding, core: Core) -> Result<Answer, Refusal> {
    match wish {
        Gathering::Found { name } => {
            let is_in_one = current.is_some();
            let invitation = founding.found(current, name, wall_time()).await?;
            if let (false, Some(roadside)) = (is_in_one, founding.kept()) {
                core.join(&roadside).await?;
            }
            Ok(Answer::Invitation(invitation))
        }
        Gathering::Join { code } => {
            let done = core.join(&founding.join(&code).await?).await?;
            // A member has taken this car in: the convoy knows, with a server or without.
            Ok(if let Answer::Done(done) = done { Answer::Done(Done { reach: Reach::Convoy, ..done }) } else { done })
        }
    }
}

/// As far as somebody vouches for it.
pub(super) fn wall_time() -> WallTime {
    let wall = host::wall_clock();
    WallTime::vouched(wall.unix_us, wall.synchronized)
}

/// Leaves the convoy, or joins another, only once what is kept of the one before is forgotten.
pub(super) fn depart(command: Command, founding: Founding, core: Core, reply: Reply) {
    tokio::spawn(async move {
        let to = if let Command::Join { convoy } = &command { Some(convoy) } else { None };
        let done = match founding.forget_all_but(to).await {
            Ok(()) => core.obey(command).await,
            Err(refusal) => Err(refusal),
        };
        let _ = reply.send(done);
    });
}
