import Dispatch
import HoldfastSystem
import Synchronization
import Testing

/// Work is done by several threads and comes back in the order in which it was given out, with bounded memory.
@Suite(.timeLimit(.minutes(30))) struct OrderedPoolTests {
  private final class Job {
    var number = -1
    var result = -1
  }

  private struct Stop: Error {}

  @Test(arguments: [0, 1, 2, 5])
  func jobsComeBackInOrder(_ workers: Int) throws {
    var consumed: [Int] = []
    let pool = OrderedPool(workers: workers, capacity: 4, makeJob: Job.init) { $0.result = $0.number * $0.number }
    func take(_ job: Job) { consumed.append(job.result) }
    for number in 0..<500 {
      try pool.next(take).number = number
      try pool.submit(take)
    }
    try pool.drain(take)
    pool.stop()
    #expect(consumed == (0..<500).map { $0 * $0 })
  }

  @Test func aJobThatFinishesEarlyWaitsForTheOneBeforeIt() throws {
    let secondIsDone = DispatchSemaphore(value: 0)
    var consumed: [Int] = []
    let pool = OrderedPool(workers: 2, capacity: 2, makeJob: Job.init) { job in
      if job.number == 0 { secondIsDone.wait() } else { secondIsDone.signal() }
    }
    func take(_ job: Job) { consumed.append(job.number) }
    for number in 0..<2 {
      try pool.next(take).number = number
      try pool.submit(take)
    }
    try pool.drain(take)
    pool.stop()
    #expect(consumed == [0, 1])
  }

  @Test func aSlowJobHoldsNoneUpWhereTheOrderDoesNotMatter() throws {
    let othersAreDone = DispatchSemaphore(value: 0)
    var consumed: [Int] = []
    let pool = OrderedPool(workers: 2, capacity: 2, keepsOrder: false, makeJob: Job.init) { job in
      if job.number == 0 { _ = othersAreDone.wait(timeout: .now() + 20) }
    }
    func take(_ job: Job) { consumed.append(job.number) }
    for number in 0..<6 {
      // With two jobs, the others are filled again and again while the first one is under way.
      try pool.next(take).number = number
      try pool.submit(take)
    }
    #expect(!consumed.contains(0))
    othersAreDone.signal()
    try pool.drain(take)
    pool.stop()
    #expect(consumed == [1, 2, 3, 4, 5, 0] || consumed == [1, 2, 3, 4, 0, 5])
  }

  @Test(arguments: [0, 1, 2, 5])
  func jobsThatAreTakenSeveralAtATimeComeBackInOrder(_ workers: Int) throws {
    var consumed: [Int] = []
    let largest = Mutex(0)
    let pool = OrderedPool(workers: workers, capacity: 8, batch: 3, makeJob: Job.init) { jobs in
      largest.withLock { $0 = max($0, jobs.count) }
      for job in jobs { job.result = job.number * job.number }
    }
    func take(_ job: Job) { consumed.append(job.result) }
    for number in 0..<500 {
      try pool.next(take).number = number
      try pool.submit(take)
    }
    try pool.drain(take)
    pool.stop()
    #expect(consumed == (0..<500).map { $0 * $0 })
    #expect(largest.withLock { $0 } <= 3)
  }

  /// Each of two jobs that wait at the same time ends only when the other has begun.
  @Test func noWorkerTakesSeveralWhileAnotherHasNone() throws {
    let mayBegin = DispatchSemaphore(value: 0)
    let hasBegun = [DispatchSemaphore(value: 0), DispatchSemaphore(value: 0)]
    let alone = Atomic(0)
    let pool = OrderedPool(workers: 2, capacity: 4, batch: 2, makeJob: Job.init) { jobs in
      for job in jobs {
        if job.number < 2 {
          mayBegin.wait()
        } else {
          hasBegun[job.number - 2].signal()
          if hasBegun[3 - job.number].wait(timeout: .now() + 20) == .timedOut { alone.add(1, ordering: .relaxed) }
        }
      }
    }
    for number in 0..<4 {
      try pool.next { _ in }.number = number
      try pool.submit { _ in }
    }
    for _ in 0..<2 { mayBegin.signal() }
    try pool.drain { _ in }
    pool.stop()
    #expect(alone.load(ordering: .relaxed) == 0)
  }

  @Test func thereAreNeverMoreJobsThanTheCapacity() throws {
    var made = 0
    var inFlight = 0
    var most = 0
    let pool = OrderedPool(
      workers: 2, capacity: 3,
      makeJob: {
        made += 1
        return Job()
      }, perform: { $0.result = $0.number })
    func take(_ job: Job) { inFlight -= 1 }
    for number in 0..<200 {
      try pool.next(take).number = number
      inFlight += 1
      most = max(most, inFlight)
      try pool.submit(take)
    }
    try pool.drain(take)
    pool.stop()
    #expect(made == 3)
    #expect(most <= 3)
    #expect(inFlight == 0)
  }

  @Test func anErrorOfTheConsumerReachesTheOwnerAndNothingAfterItIsConsumed() {
    var consumed: [Int] = []
    let pool = OrderedPool(workers: 2, capacity: 4, makeJob: Job.init) { $0.result = $0.number }
    func take(_ job: Job) throws {
      if job.number == 5 { throw Stop() }
      consumed.append(job.number)
    }
    #expect(throws: Stop.self) {
      for number in 0..<100 {
        try pool.next(take).number = number
        try pool.submit(take)
      }
    }
    pool.stop()
    #expect(consumed == [0, 1, 2, 3, 4])
  }

  @Test func afterStopNothingRuns() throws {
    let begun = Atomic(0)
    let ended = Atomic(0)
    let pool = OrderedPool(workers: 1, capacity: 100, makeJob: Job.init) { _ in
      begun.add(1, ordering: .sequentiallyConsistent)
      ended.add(1, ordering: .sequentiallyConsistent)
    }
    for _ in 0..<100 {
      _ = try pool.next { _ in }
      try pool.submit { _ in }
    }
    pool.stop()
    let atStop = begun.load(ordering: .sequentiallyConsistent)
    #expect(ended.load(ordering: .sequentiallyConsistent) == atStop, "stop returned while a job was at work")
    pool.stop()
    #expect(begun.load(ordering: .sequentiallyConsistent) == atStop)
  }

  @Test func aPoolThatIsDroppedEndsItsThreads() throws {
    weak var dropped: OrderedPool<Job>?
    do {
      let pool = OrderedPool(workers: 2, capacity: 2, makeJob: Job.init) { _ in }
      _ = try pool.next { _ in }
      try pool.submit { _ in }
      dropped = pool
    }
    #expect(dropped == nil)
  }
}
