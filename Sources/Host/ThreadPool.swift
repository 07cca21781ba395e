import CLinux
import Glibc

/// A bounded number of threads that may block: the task executor of everything that makes system calls.
///
/// Jobs start in the order in which they came. Threads are made when work waits and none is idle, up to the bound, and
/// stay. A pool lives as long as its process: its threads keep it.
package final class ThreadPool: TaskExecutor {
  /// The threads' name (15 bytes are shown by the kernel).
  package let name: String
  /// The most jobs that run at one time.
  package let threads: Int

  // Both are made in init and never freed nor replaced; `state` is touched only by the holder of `mutex`.
  nonisolated(unsafe) private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  nonisolated(unsafe) private let wakeUp: UnsafeMutablePointer<pthread_cond_t>
  nonisolated(unsafe) private let state: UnsafeMutablePointer<State>

  private struct State {
    var queue: [UnownedJob] = []
    /// Index of the next job in `queue`; those before it have been taken.
    var head = 0
    var running = 0
    var idle = 0

    mutating func next() -> UnownedJob? {
      guard head < queue.count else { return nil }
      defer {
        head += 1
        // Taken jobs are dropped in bulk: amortised constant time, and never more of them than of waiting ones.
        if head >= 64, head * 2 >= queue.count {
          queue.removeFirst(head)
          head = 0
        }
      }
      return queue[head]
    }
  }

  package init(name: String, threads: Int) {
    precondition(threads > 0, "a pool needs a thread")
    self.name = name
    self.threads = threads
    mutex = .allocate(capacity: 1)
    mutex.initialize(to: pthread_mutex_t())
    pthread_mutex_init(mutex, nil)
    wakeUp = .allocate(capacity: 1)
    wakeUp.initialize(to: pthread_cond_t())
    pthread_cond_init(wakeUp, nil)
    state = .allocate(capacity: 1)
    state.initialize(to: State())
  }

  /// How many threads wait for work at this moment.
  package var idle: Int {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return state.pointee.idle
  }

  package func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    pthread_mutex_lock(mutex)
    state.pointee.queue.append(job)
    let waiting = state.pointee.queue.count - state.pointee.head
    let needsThread = waiting > state.pointee.idle && state.pointee.running < threads
    if needsThread { state.pointee.running += 1 }
    pthread_cond_signal(wakeUp)
    pthread_mutex_unlock(mutex)
    if needsThread, !Thread.start(name: name, { self.work() }) {
      // The job stays queued for the threads that there are; without any it cannot run at all.
      pthread_mutex_lock(mutex)
      state.pointee.running -= 1
      let stranded = state.pointee.running == 0
      pthread_mutex_unlock(mutex)
      if stranded { work(once: true) }
    }
  }

  private func work(once: Bool = false) {
    while true {
      pthread_mutex_lock(mutex)
      var job = state.pointee.next()
      while job == nil, !once {
        state.pointee.idle += 1
        pthread_cond_wait(wakeUp, mutex)
        state.pointee.idle -= 1
        job = state.pointee.next()
      }
      pthread_mutex_unlock(mutex)
      guard let job else { return }
      job.runSynchronously(on: asUnownedTaskExecutor())
    }
  }
}

/// Detached POSIX threads.
package enum Thread {
  private final class Body {
    let name: String
    let run: @Sendable () -> Void
    init(name: String, run: @escaping @Sendable () -> Void) {
      self.name = name
      self.run = run
    }
  }

  /// Runs `body` on a new thread; false when the system has no thread to give.
  package static func start(name: String, _ body: @escaping @Sendable () -> Void) -> Bool {
    var attributes = pthread_attr_t()
    guard pthread_attr_init(&attributes) == 0 else { return false }
    defer { pthread_attr_destroy(&attributes) }
    pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    pthread_attr_setstacksize(&attributes, 1 << 20)
    let argument = Unmanaged.passRetained(Body(name: name, run: body))
    var thread = pthread_t()
    let result = pthread_create(
      &thread, &attributes,
      { raw in
        guard let raw else { return nil }
        let body = Unmanaged<Body>.fromOpaque(raw).takeRetainedValue()
        cl_name_thread(body.name)
        body.run()
        return nil
      }, argument.toOpaque())
    if result != 0 { argument.release() }
    return result == 0
  }
}
