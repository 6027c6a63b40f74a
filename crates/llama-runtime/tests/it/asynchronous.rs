//! Reading without a particular executor: hand-made ones, streams, threads.

use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Context, Poll, Wake};

use futures_core::Stream;

use crate::{answer, exact, read, text, tiny, tiny_with};
use llama_runtime::{Event, FinishReason, Generation, ModelInfo, StartError};

/// An executor in a few lines: polls all that it has whenever anything woke it.
#[derive(Default)]
struct Bell(Mutex<bool>, Condvar);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        *self.0.lock().unwrap() = true;
        self.1.notify_one();
    }
}

fn run_all<T>(mut tasks: Vec<Pin<Box<dyn Future<Output = T> + '_>>>) -> Vec<T> {
    let bell = Arc::new(Bell::default());
    let waker = Arc::clone(&bell).into();
    let mut done: Vec<Option<T>> = tasks.iter().map(|_| None).collect();
    loop {
        for (task, done) in tasks.iter_mut().zip(&mut done).filter(|(_, done)| done.is_none()) {
            if let Poll::Ready(value) = task.as_mut().poll(&mut Context::from_waker(&waker)) {
                *done = Some(value);
            }
        }
        if done.iter().all(Option::is_some) {
            return done.into_iter().flatten().collect();
        }
        let mut rang = bell.1.wait_while(bell.0.lock().unwrap(), |rang| !*rang).unwrap();
        *rang = false;
    }
}

#[test]
fn many_requests_are_read_by_one_thread() {
    let runtime = tiny_with(exact());
    let alone: Vec<String> = (1..6).map(|n| answer(&runtime, text("Once upon a time", n))).collect();
    let tasks = (1..6).map(|n| {
        let runtime = &runtime;
        Box::pin(async move {
            let finished = runtime.submit(text("Once upon a time", n)).unwrap().finish().await;
            finished.choices[0].text.clone()
        }) as Pin<Box<dyn Future<Output = String> + '_>>
    });
    assert_eq!(run_all(tasks.collect()), alone);
}

#[test]
fn a_generation_is_a_stream() {
    struct Next<'g>(&'g mut Generation);
    impl Future for Next<'_> {
        type Output = Option<Event>;
        fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
            Pin::new(&mut *self.0).poll_next(context)
        }
    }
    let runtime = tiny();
    let mut generation = runtime.submit(text("Once upon a time", 8)).unwrap();
    let (mut text, mut ended) = (String::new(), false);
    while let Some(event) = run_all(vec![Box::pin(Next(&mut generation))]).remove(0) {
        assert!(!ended, "nothing comes after the end");
        match event {
            Event::Text(more) => text.push_str(&more),
            Event::Finished(finished) => {
                assert_eq!(finished.choices[0].text, text);
                ended = true;
            }
            _ => {}
        }
    }
    assert!(ended);
    assert!(run_all(vec![Box::pin(Next(&mut generation))]).remove(0).is_none());
}

#[test]
fn threads_of_a_pool_share_a_runtime() {
    let runtime = Arc::new(tiny_with(exact()));
    let whole = answer(&runtime, text("Once upon a time", 10));
    let work = Arc::new(Mutex::new((0..20).collect::<Vec<_>>()));
    let pool: Vec<_> = (0..4)
        .map(|_| {
            let (runtime, work, whole) = (Arc::clone(&runtime), Arc::clone(&work), whole.clone());
            std::thread::spawn(move || {
                let mut done = 0;
                while work.lock().unwrap().pop().is_some() {
                    assert_eq!(answer(&runtime, text("Once upon a time", 10)), whole);
                    done += 1;
                }
                done
            })
        })
        .collect();
    assert_eq!(pool.into_iter().map(|thread| thread.join().unwrap()).sum::<i32>(), 20);
}

#[test]
fn a_generation_moves_between_threads_and_ways_of_reading() {
    let runtime = tiny();
    let mut generation = runtime.submit(text("Once upon a time", 12)).unwrap();
    let Some(Event::Text(first)) = crate::next(&mut generation) else { panic!("no text") };
    let (rest, finished) = std::thread::spawn(move || read(generation)).join().unwrap();
    assert_eq!(finished.choices[0].text, first.text + &rest);
}

#[test]
fn a_model_is_loaded_while_others_wait_for_it() {
    let spec = llama_runtime::ModelSpec::path(llama_testkit::fixtures::tiny_llama()).config(exact()).on_demand();
    let runtime = llama_runtime::Runtime::builder().model("tiny", spec).build_blocking().unwrap();
    assert!(runtime.info(None).is_none());
    let loads = (0..3)
        .map(|_| Box::pin(runtime.load(None)) as Pin<Box<dyn Future<Output = Result<ModelInfo, StartError>> + '_>>);
    for info in run_all::<Result<ModelInfo, StartError>>(loads.collect()) {
        assert_eq!(info.unwrap().name, "tiny");
    }
}

#[test]
fn the_end_is_told_again_to_who_asks_for_it_later() {
    let runtime = tiny();
    let mut generation = runtime.submit(text("Once upon a time", 3)).unwrap();
    while crate::next(&mut generation).is_some() {}
    let id = generation.id();
    let finished = llama_runtime::blocking::block_on(generation.finish());
    assert!(matches!(finished.reason, FinishReason::Length), "{finished:?}");
    assert_eq!((finished.id, finished.usage.generated, finished.choices.len()), (id, 3, 0));
}

/// A task whose executor is gone: nobody polls it again, and with its last waker it is dropped.
struct Orphan(#[allow(dead_code, reason = "dropped")] Mutex<Option<Pin<Box<dyn Future<Output = ()> + Send>>>>);

impl Wake for Orphan {
    fn wake(self: Arc<Self>) {}
}

/// Says on which thread it was dropped, and whether that panicked.
struct Told(std::sync::mpsc::SyncSender<(Option<String>, bool)>);

impl Drop for Told {
    fn drop(&mut self) {
        let _ = self.0.send((std::thread::current().name().map(str::to_owned), std::thread::panicking()));
    }
}

#[test]
fn the_last_owner_of_a_runtime_may_be_a_task_that_the_runtime_wakes() {
    for by_timer in [false, true] {
        let (sender, dropped) = std::sync::mpsc::sync_channel(1);
        let (runtime, holder) = crate::held_up(|_| {});
        let mut request = text("Once upon a time", 5);
        request.deadlines.queue = by_timer.then_some(std::time::Duration::from_millis(20));
        let mut generation = runtime.submit(request).unwrap();
        let task = Arc::new(Orphan(Mutex::new(None)));
        let waker = Arc::clone(&task).into();
        // Dropped in this order: the runtime, and then what tells how that went.
        let mut future: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(async move {
            let told = Told(sender);
            let runtime = runtime;
            while generation.next().await.is_some() {}
            drop((runtime, told));
        });
        assert!(future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        *task.0.lock().unwrap() = Some(future);
        drop((task, waker));
        // The engine gets to it, or the timer before.
        let holder = Some(holder).filter(|_| by_timer);
        let (thread, panicked) = dropped.recv_timeout(std::time::Duration::from_secs(20)).unwrap();
        drop(holder);
        assert_eq!(thread.as_deref(), Some(if by_timer { "llama-timer" } else { "llama-model" }));
        assert!(!panicked);
    }
}
