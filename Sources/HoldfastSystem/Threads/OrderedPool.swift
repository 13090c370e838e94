internal import Glibc

/// Runs jobs on a fixed number of threads and returns them in the order in which they were submitted; or as they are
/// done, if the order does not matter.
///
/// The owner, which is one thread, takes a free job with `next`, fills it and gives it to `submit`. Workers run
/// `perform` on one job, or on a few that are waiting, in any order. A job that is done comes back to the owner's
/// thread in one of its next calls, which hands it to `consume`; after an error of that, the pool can only be stopped.
/// There are `capacity` jobs, made once. They contain the buffers, so memory is bounded and no buffer is allocated
/// while work goes on.
package final class OrderedPool<Job: AnyObject> {
  private final class Slot {
    let job: Job
    var isDone = false
    init(_ job: Job) { self.job = job }
  }

  /// The state that workers use. They refer to it and not to the pool, so that a pool that is dropped can end them.
  private final class Shared: @unchecked Sendable {
    // `mutex` guards `queue`, `awaited`, `isStopping` and every slot's `isDone`.
    let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    let workArrived = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    let workFinished = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    let workers: Int
    let batch: Int
    let perform: ([Job]) -> Void
    var queue: [Slot] = []
    /// The slots for which the owner waits. It is woken when any of them is done, and for no other.
    var awaited: [Slot] = []
    var isStopping = false

    init(workers: Int, batch: Int, perform: @escaping ([Job]) -> Void) {
      self.workers = workers
      self.batch = batch
      self.perform = perform
      pthread_mutex_init(mutex, nil)
      pthread_cond_init(workArrived, nil)
      pthread_cond_init(workFinished, nil)
    }

    deinit {
      mutex.deallocate()
      workArrived.deallocate()
      workFinished.deallocate()
    }

    func work() {
      pthread_mutex_lock(mutex)
      while true {
        while queue.isEmpty, !isStopping { pthread_cond_wait(workArrived, mutex) }
        if isStopping { break }
        // Near the end, every worker gets its share.
        let slots = Array(queue.prefix(min(batch, max(1, queue.count / workers))))
        queue.removeFirst(slots.count)
        pthread_mutex_unlock(mutex)
        perform(slots.map(\.job))
        pthread_mutex_lock(mutex)
        for slot in slots { slot.isDone = true }
        if awaited.contains(where: \.isDone) { pthread_cond_signal(workFinished) }
      }
      pthread_mutex_unlock(mutex)
    }
  }

  private let shared: Shared
  private let keepsOrder: Bool
  private var threads: [WorkerThread] = []
  private var submitted: [Slot] = []
  private var free: [Slot] = []

  /// - Parameters:
  ///   - keepsOrder: true to consume jobs in the order of submission. Otherwise a job that takes long does not keep the
  ///     others from being consumed and filled again.
  ///   - perform: runs on a worker. It stores an error in the job.
  package convenience init(
    workers: Int, capacity: Int, keepsOrder: Bool = true, makeJob: () throws -> Job, perform: @escaping (Job) -> Void
  ) rethrows {
    try self.init(
      workers: workers, capacity: capacity, batch: 1, keepsOrder: keepsOrder, makeJob: makeJob
    ) { $0.forEach(perform) }
  }

  /// - Parameters:
  ///   - batch: the most jobs that a worker takes at once.
  ///   - perform: runs on a worker, with jobs in the order of submission. It stores an error in the job.
  package init(
    workers: Int, capacity: Int, batch: Int, keepsOrder: Bool = true, makeJob: () throws -> Job,
    perform: @escaping ([Job]) -> Void
  ) rethrows {
    self.keepsOrder = keepsOrder
    shared = Shared(workers: workers, batch: batch, perform: perform)
    for _ in 0..<capacity { free.append(Slot(try makeJob())) }
    for _ in 0..<workers {
      if let thread = WorkerThread.start({ [shared] in shared.work() }) { threads.append(thread) }
    }
  }

  deinit { stop() }

  /// Returns a job to fill. If none is free, waits for the one that is consumed next.
  package func next(_ consume: (Job) throws -> Void) throws -> Job {
    while free.isEmpty { try consumeNext(consume) }
    guard let slot = free.last else { preconditionFailure("a pool has at least one job") }
    return slot.job
  }

  /// Gives the job that `next` returned to the workers.
  package func submit(_ consume: (Job) throws -> Void) throws {
    guard let slot = free.popLast() else { preconditionFailure("submit follows next") }
    slot.isDone = false
    submitted.append(slot)
    if threads.isEmpty {
      shared.perform([slot.job])
      slot.isDone = true
    } else {
      pthread_mutex_lock(shared.mutex)
      shared.queue.append(slot)
      pthread_cond_signal(shared.workArrived)
      pthread_mutex_unlock(shared.mutex)
    }
    while isNextDone() { try consumeNext(consume) }
  }

  /// Consumes everything that was submitted.
  package func drain(_ consume: (Job) throws -> Void) throws {
    while !submitted.isEmpty { try consumeNext(consume) }
  }

  /// Ends the threads after their current jobs, and drops the others. Must always be called, even after an error.
  package func stop() {
    pthread_mutex_lock(shared.mutex)
    shared.isStopping = true
    shared.queue.removeAll()
    pthread_cond_broadcast(shared.workArrived)
    pthread_mutex_unlock(shared.mutex)
    for thread in threads { thread.join() }
    threads.removeAll()
  }

  /// The jobs from which the next one to consume is taken.
  private var candidates: ArraySlice<Slot> { keepsOrder ? submitted.prefix(1) : submitted[...] }

  private func isNextDone() -> Bool {
    pthread_mutex_lock(shared.mutex)
    defer { pthread_mutex_unlock(shared.mutex) }
    return candidates.contains(where: \.isDone)
  }

  private func consumeNext(_ consume: (Job) throws -> Void) throws {
    pthread_mutex_lock(shared.mutex)
    shared.awaited = Array(candidates)
    var done = candidates.firstIndex(where: \.isDone)
    while done == nil {
      pthread_cond_wait(shared.workFinished, shared.mutex)
      done = candidates.firstIndex(where: \.isDone)
    }
    shared.awaited = []
    pthread_mutex_unlock(shared.mutex)
    guard let done else { preconditionFailure("one of them is done") }
    let slot = submitted.remove(at: done)
    free.append(slot)
    try consume(slot.job)
  }
}
