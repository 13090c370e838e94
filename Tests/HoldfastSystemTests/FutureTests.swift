import HoldfastSystem
import HoldfastTestSupport
import Synchronization
import Testing

/// Work that others do meanwhile is done once, and its result or error is everybody's.
@Suite struct FutureTests {
  private struct Strange: Error {}

  @Test(arguments: [true, false]) func theWorkIsDoneOnceForAll(beginsNow: Bool) throws {
    let calls = Mutex(0)
    let future = Future(beginsNow: beginsNow) {
      Pause.briefly()
      return calls.withLock { calls in
        calls += 1
        return calls
      }
    }
    let found = Mutex<[Int]>([])
    let threads = (0..<4).compactMap { _ in
      WorkerThread.start { if let value = try? future.value() { found.withLock { $0.append(value) } } }
    }
    for thread in threads { thread.join() }
    #expect(found.withLock { $0 } == [Int](repeating: 1, count: threads.count))
  }

  @Test func whatNeedNotBeginWaitsUntilItIsNeeded() throws {
    let calls = Mutex(0)
    let future = Future(beginsNow: false) { calls.withLock { $0 += 1 } }
    #expect(calls.withLock { $0 } == 0)
    try future.value()
    #expect(calls.withLock { $0 } == 1)
  }

  @Test(arguments: [true, false]) func itsErrorIsThrownToEverybody(beginsNow: Bool) {
    let future = Future<Int>(beginsNow: beginsNow) { throw Strange() }
    for _ in 0..<2 { #expect(throws: Strange.self) { try future.value() } }
  }

  @Test func whoWaitsForErrandsFindsThemDone() {
    let done = Mutex(0)
    let errands = Errands()
    for _ in 0..<3 {
      errands.begin {
        Pause.briefly()
        done.withLock { $0 += 1 }
      }
    }
    errands.wait()
    #expect(done.withLock { $0 } == 3)
    do {
      let dropped = Errands()
      dropped.begin {
        Pause.briefly()
        done.withLock { $0 += 1 }
      }
    }
    #expect(done.withLock { $0 } == 4, "whoever drops them waits")
  }
}
