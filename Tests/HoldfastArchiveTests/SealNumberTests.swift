import HoldfastArchive
import HoldfastCodec
import HoldfastModel
import HoldfastSystem
import Synchronization
import Testing

/// A number that seals twice under one key gives both contents away: no two frames of an object have the same.
@Suite struct SealNumberTests {
  private static let threadCount = 4
  private static let framesPerThread = 400

  private func makeHead(_ id: UInt8) throws -> ContainerHead {
    let name = ContainerName(kind: .archive, repository: SampleContainer.repository, id: identifier(id))
    return try ContainerHead(name, recipients: [RecoveryIdentity().recipient], label: [])
  }

  @Test func framesThatSeveralThreadsMakeForOneObjectHaveNumbersOfTheirOwn() throws {
    let head = try makeHead(1)
    let found = Mutex<[UInt32]>([])
    let makers = try (0..<Self.threadCount).map { _ in try FrameMaker(.none, capacity: 16) }
    let threads = makers.compactMap { maker in
      nonisolated(unsafe) let maker = maker
      return WorkerThread.start {
        for _ in 0..<Self.framesPerThread {
          let number = [UInt8](repeating: 7, count: 16).withUnsafeBytes {
            try? maker.makeBytes($0, for: head).sealNumber
          }
          found.withLock { $0 += number.map { [$0] } ?? [] }
        }
      }
    }
    #expect(threads.count == Self.threadCount)
    for thread in threads { thread.join() }
    let numbers = found.withLock { $0 }
    #expect(numbers.count == Self.threadCount * Self.framesPerThread)
    #expect(Set(numbers).count == numbers.count)
    // The last two are those of the label and of the seal.
    #expect((numbers.max() ?? .max) < UInt32.max - 1)
  }

  /// Equal frames do not look equal, in one object or in two.
  @Test func equalFramesAreStoredDifferently() throws {
    let maker = try FrameMaker(.none, capacity: 16)
    var seen: Set<[UInt8]> = []
    for head in [try makeHead(1), try makeHead(1), try makeHead(2)] {
      for _ in 0..<4 {
        try [UInt8](repeating: 7, count: 16).withUnsafeBytes { plain in
          let stored = try maker.make(plain, for: head)
          let bytes = stored.frame.bytes
          #expect(bytes.count == 16 + SealingKey.tagByteCount)
          #expect(stored.digest == Hasher.digest(bytes))
          seen.insert(Array(bytes))
        }
      }
    }
    #expect(seen.count == 12)
  }

  @Test func framesThatAreNotSealedHaveNoNumber() throws {
    let maker = try FrameMaker(.none, capacity: 16)
    for _ in 0..<2 {
      let number = try [UInt8](repeating: 7, count: 16).withUnsafeBytes {
        try maker.makeBytes($0, for: SampleContainer.bodyHead).sealNumber
      }
      #expect(number == 0)
    }
  }
}
