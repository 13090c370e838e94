import HoldfastArchive
import HoldfastCodec
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastStore
import HoldfastSystem
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// A sealed repository is made in whole or not at all, and what a killed attempt left stops nobody.
@Suite struct SealedInitTests {
  private struct Place {
    let directory = TemporaryDirectory()
    var path: Path { directory.appending("repository") }
    var memory: ClientMemory { ClientMemory(directory: directory.appending("memory")) }

    func create(_ keys: TestKeys, probe: FaultProbe? = nil) throws -> Repository {
      let host = TestHost.make(probe: probe)
      return try Repository.create(
        in: LocalStore(directory: path, host: host), host: host, sealing: keys.sealing, memory: memory)
    }

    func open() throws -> Repository {
      let host = TestHost.make()
      return try Repository.open(LocalStore(directory: path, host: host), host: host, memory: memory)
    }
  }

  @Test func whoMadeItIsItsFirstWriter() throws {
    let (place, keys) = (Place(), try TestKeys())
    let repository = try place.create(keys)
    let keyring = try #require(repository.keyring.sealed).keyring
    #expect(keyring.recipients == [keys.member])
    #expect(
      keyring.writers == [Keyring.Writer(name: TestKeys.writerName, key: keys.writer.signing.publicKey, mayPrune: true)]
    )
    #expect(repository.descriptor.features == ["sealed"])
    #expect(repository.descriptor.keyring == repository.keyring.sealed?.revision.digest)
    #expect(try place.open().keyring.sealed?.revision == repository.keyring.sealed?.revision)
    #expect(try repository.keyring.writer()?.signing.publicKey == keys.writer.signing.publicKey)
  }

  @Test(arguments: [false, true]) func aKilledInitStopsNoNextOne(isPowerCut: Bool) throws {
    let keys = try TestKeys()
    let counting = FaultProbe()
    _ = try Place().create(keys, probe: counting)
    #expect(counting.count > 10)
    for index in 0..<counting.count {
      let place = Place()
      let probe = FaultProbe(.cut, at: index)
      let made = try? place.create(keys, probe: probe)
      if isPowerCut { probe.dropUnsynced() }
      let name = "operation \(index): \(probe.log.last?.operation.rawValue ?? "-")"
      if TestFiles.exists(place.path.appending("holdfast.json")) {
        #expect(try place.open().keyring.sealed?.keyring.recipients == [keys.member], "\(name)")
        #expect(throws: EngineError.self, "\(name)") { try place.create(keys) }
      } else {
        #expect(made == nil, "\(name)")
        _ = try place.create(TestKeys())
        #expect(TestFiles.names(in: place.path.appending("keyring")) == ["0000000001.json"], "\(name)")
      }
      #expect(try place.open().keyring.sealed != nil, "\(name)")
    }
  }

  /// What looks like a killed init beside snapshots is a repository that lost its descriptor.
  @Test func aRepositoryWithoutItsDescriptorIsNotOverwritten() throws {
    let sealed = try SealedShop()
    try sealed.backup()
    sealed.store.contents[Keys.descriptor] = nil
    let before = sealed.store.contents
    #expect(
      shown { _ = try Repository.create(in: sealed.store, host: sealed.shop.host, sealing: sealed.keys.sealing) }
        == "memory is not empty\nHINT: Name a directory that is empty or does not exist.")
    #expect(sealed.store.contents == before)
  }

  @Test func aKeyringThatNoReaderWouldTakeIsNotWritten() throws {
    let store = MemoryStore()
    let keys = try TestKeys()
    var sealing = keys.sealing
    sealing.recipients = { _ in [] }
    #expect(throws: DamageError(Keys.keyring(1), "it has too few or too many recipients or writers")) {
      try Repository.create(in: store, host: TestHost.make(), sealing: sealing)
    }
    sealing = keys.sealing
    sealing.writerName = "two\nlines"
    #expect(throws: DamageError(Keys.keyring(1), "a name in it is not sound")) {
      try Repository.create(in: store, host: TestHost.make(), sealing: sealing)
    }
    #expect(store.contents.isEmpty)
  }
}
