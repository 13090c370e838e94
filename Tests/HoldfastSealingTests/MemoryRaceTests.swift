import HoldfastArchive
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastStore
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Synchronization
import Testing

/// Two runs on one machine at once: neither takes the other's unfinished record for what a killed one has left.
@Suite struct MemoryRaceTests {
  /// The second run: tells when it has come to the lock, and is killed when it writes its record.
  private final class Second: OperationProbe {
    let memory: Path
    let hasCome = Mutex(false)
    init(_ memory: Path) { self.memory = memory }

    func willPerform(_ operation: Operation, _ path: Path) {}

    func willPerform(_ operation: Operation, _ path: Path, in directory: Path) throws(SystemError) {
      guard memory.contains(directory.appending(path.bytes)), operation == .lock || operation == .write else { return }
      hasCome.withLock { $0 = true }
      if operation == .write { throw SystemError("write", path, code: 5) }
    }

    func didPerform(_ operation: Operation, _ path: Path, newPath: Path?) {}
  }

  /// The first run: lets the second one begin when its own record is written and has not got its name.
  private final class First: OperationProbe {
    let memory: Path
    let begin: @Sendable () -> Void
    let hasBegun = Mutex(false)
    init(_ memory: Path, begin: @escaping @Sendable () -> Void) { (self.memory, self.begin) = (memory, begin) }

    func willPerform(_ operation: Operation, _ path: Path) {}

    func willPerform(_ operation: Operation, _ path: Path, in directory: Path) {
      if operation == .rename, memory.contains(directory.appending(path.bytes)), !hasBegun.withLock({ $0 }) {
        hasBegun.withLock { $0 = true }
        begin()
      }
    }

    func didPerform(_ operation: Operation, _ path: Path, newPath: Path?) {}
  }

  @Test func aRecordIsWholeThoughTwoRunsWriteIt() throws {
    let shop = try TestShop(workers: 1, isSealed: true)
    TestFiles.removeTree(shop.memoryPath)
    let second = Second(shop.memoryPath)
    let thread = Mutex<WorkerThread?>(nil)
    let first = First(shop.memoryPath) {
      let started = WorkerThread.start { _ = try? shop.repository(probe: second, as: .nobody) }
      thread.withLock { $0 = started }
      while started != nil, !second.hasCome.withLock({ $0 }) { Pause.briefly() }
    }
    _ = try shop.repository(probe: first, as: .nobody)
    #expect(first.hasBegun.withLock { $0 })
    let started = try #require(thread.withLock { $0 })
    started.join()
    _ = try shop.open()
    #expect(
      TestFiles.names(in: shop.memoryPath).filter { $0.hasSuffix(".json") }.count == 2,
      "of the repository and of its name")
  }
}
