import Dispatch
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

/// The last archives of a snapshot go to a remote store while its body is sent and proved. The manifest comes last
/// all the same, and whatever happens to an archive, nothing is committed without it.
@Suite(.timeLimit(.minutes(30))) struct FarCommitTests {
  /// A store in which archives take long to arrive.
  private final class SlowArchives: StoreLayer {
    let base: any Store
    let failure: (any Error)?
    private let noted = Mutex<[String]>([])
    private let bodyIsRead = DispatchSemaphore(value: 0)

    /// - Parameter failure: what becomes of the archives; `nil`: they arrive.
    init(_ base: any Store, failure: (any Error)? = nil) { (self.base, self.failure) = (base, failure) }

    /// The objects in the order in which they were committed.
    var committed: [String] { noted.withLock { $0 } }

    func upload(_ key: String) throws -> any ObjectUpload { Upload(try base.upload(key), key, self) }

    func open(_ key: String, length: UInt64?) throws -> any ReadableBytes {
      defer { if Keys.isBody(key) { bodyIsRead.signal() } }
      return try base.open(key, length: length)
    }

    private final class Upload: ObjectUpload {
      private let base: any ObjectUpload
      private let key: String
      private let store: SlowArchives

      init(_ base: any ObjectUpload, _ key: String, _ store: SlowArchives) {
        (self.base, self.key, self.store) = (base, key, store)
      }

      var partBytes: Int? { base.partBytes }
      func send(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws { try base.send(bytes, at: offset) }

      func commit() throws {
        if Keys.isArchive(key) {
          // Not before the proof of the body has begun.
          #expect(store.bodyIsRead.wait(timeout: .now() + 20) == .success)
          if let failure = store.failure { throw failure }
        }
        try base.commit()
        store.noted.withLock { $0.append(key) }
      }

      func abort() { base.abort() }
    }
  }

  private func open(_ store: any Store, of shop: TestShop) throws -> Repository {
    try Repository.open(store, host: shop.host, memory: shop.memory)
  }

  private func shop() throws -> (TestShop, MemoryStore) {
    var traits = MemoryStore.Traits()
    (traits.isNear, traits.connections) = (false, 4)
    let memory = MemoryStore(traits)
    let shop = try TestShop(store: memory)
    TestFiles.write(String(repeating: "orders\n", count: 20_000), to: shop.source.appending("orders"))
    return (shop, memory)
  }

  @Test func theBodyIsProvedWhileTheLastArchiveArrivesAndTheManifestComesLast() throws {
    let (shop, memory) = try shop()
    let slow = SlowArchives(memory)
    try shop.backup(in: open(slow, of: shop))
    let objects = slow.committed.filter { $0.hasPrefix(Keys.sources) }
    #expect(objects.map { Keys.isBody($0) } == [true, false, false])
    #expect(objects.map { Keys.isArchive($0) } == [false, true, false])
    #expect(objects.last.map { Keys.isManifest($0) } == true)
    #expect(try shop.differencesAfterRestore() == [])
  }

  @Test func nothingIsCommittedWhenTheLastArchiveDoesNotArrive() throws {
    let (shop, memory) = try shop()
    let error = StoreError.unavailable(location: "memory", reason: "the line is cut")
    let slow = SlowArchives(memory, failure: error)
    #expect(throws: error) { try shop.backup(in: open(slow, of: shop)) }
    #expect(!memory.contents.keys.contains { $0.hasPrefix(Keys.sources) && Keys.isManifest($0) })
    // The next run is not disturbed by what is left.
    try shop.backup()
    #expect(try shop.differencesAfterRestore() == [])
  }
}
