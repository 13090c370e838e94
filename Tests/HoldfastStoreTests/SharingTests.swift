import Glibc
import HoldfastModel
import HoldfastStore
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// A repository whose directory is shared with a group stays shared: whatever is made in it, and by whom.
@Suite struct SharingTests {
  private let directory = TemporaryDirectory()
  private var storage: Path { directory.appending("storage") }
  /// A group that who runs the tests is in, other than that of new files where there is one.
  private static let group: UInt32 = Tool.isRoot ? 65534 : getegid()

  private func fill(_ store: LocalStore) throws {
    for key in ["object", "a/b/object"] {
      let writer = try store.create(key)
      try [1].withUnsafeBytes { try writer.append($0) }
      try writer.commit()
    }
    _ = try store.lock("shop", wait: false, cancellation: Cancellation())
  }

  private func modes() -> [String: String] {
    let names = [".", "object", "a", "a/b", "a/b/object", "locks", "locks/shop.lock"]
    return Dictionary(
      uniqueKeysWithValues: names.map { name in
        let path = name == "." ? storage : storage.appending(name)
        let node = TreeDescription(of: path).nodes["."]
        return (name, "\(String((node?.mode ?? 0) & 0o7777, radix: 8)) \(node?.groupID == Self.group)")
      })
  }

  private static let shared = [
    ".": "2770 true", "object": "640 true", "a": "2770 true", "a/b": "2770 true", "a/b/object": "640 true",
    "locks": "2770 true", "locks/shop.lock": "660 true",
  ]

  @Test func whatIsMadeInASharedDirectoryIsShared() throws {
    TestFiles.makeDirectory(storage)
    TestFiles.setOwner(storage, userID: geteuid(), groupID: Self.group)
    TestFiles.setMode(storage, 0o2770)
    try fill(LocalStore(directory: storage, host: TestHost.make()))
    #expect(modes() == Self.shared)
  }

  @Test(arguments: [false, true]) func aNewRepositoryIsSharedFromItsFirstObjectOn(isThere: Bool) throws {
    if isThere { TestFiles.makeDirectory(storage) }
    let store = LocalStore(directory: storage, host: TestHost.make(), sharedWith: Self.group)
    // Who only looks changes nothing.
    #expect(try store.names(below: "") == [])
    #expect(TestFiles.permissions(storage) == (isThere ? 0o755 : nil))
    try fill(store)
    #expect(modes() == Self.shared)
  }

  /// A lock is empty: a file of this user's that somebody gave the name of one is not given to the group.
  @Test func whatOnlyHasTheNameOfALockIsNotShared() throws {
    let store = LocalStore(directory: storage, host: TestHost.make(), sharedWith: Self.group)
    try fill(store)
    let lock = storage.appending("locks/shop.lock")
    TestFiles.write("private", to: lock)
    TestFiles.setMode(lock, 0o600)
    _ = try store.lock("shop", wait: false, cancellation: Cancellation())
    #expect(TestFiles.permissions(lock) == 0o600)
  }

  /// Where directories have lost the bit, as after a copy, files get the group all the same, and this user's own get it
  /// back.
  @Test func aDirectoryThatLostTheBitStopsNobody() throws {
    try fill(LocalStore(directory: storage, host: TestHost.make(), sharedWith: Self.group))
    TestFiles.removeTree(storage.appending("locks"))
    TestFiles.setMode(storage.appending("a"), 0o770)
    TestFiles.setOwner(storage.appending("a"), userID: geteuid(), groupID: getegid())
    TestFiles.removeTree(storage.appending("a/b"))
    TestFiles.remove(storage.appending("object"))
    try fill(LocalStore(directory: storage, host: TestHost.make()))
    #expect(modes() == Self.shared)
  }

  @Test(.requires(.root)) func anotherUsersDirectoryThatLostTheBitIsLeftAsItIs() throws {
    try fill(LocalStore(directory: storage, host: TestHost.make(), sharedWith: Self.group))
    TestFiles.setOwner(storage.appending("a"), userID: 1, groupID: getegid())
    TestFiles.setMode(storage.appending("a"), 0o770)
    TestFiles.removeTree(storage.appending("a/b"))
    TestFiles.remove(storage.appending("object"))
    try fill(LocalStore(directory: storage, host: TestHost.make()))
    var expected = Self.shared
    expected["a"] = "770 \(Self.group == getegid())"
    #expect(modes() == expected, "what is another user's is left as it is")
  }

  /// A run that is killed right after it has made something could not share it: whoever may changes that in the next
  /// run.
  @Test func whatAKilledRunMadeIsSharedByTheNextOne() throws {
    try fill(LocalStore(directory: storage, host: TestHost.make(), sharedWith: Self.group))
    for name in ["object", "a/b/object"] { TestFiles.remove(storage.appending(name)) }
    for (name, mode) in [("a/b", 0o700), ("locks", 0o700), ("locks/shop.lock", 0o600)] as [(String, UInt32)] {
      TestFiles.setOwner(storage.appending(name), userID: geteuid(), groupID: getegid())
      TestFiles.setMode(storage.appending(name), mode)
    }
    try fill(LocalStore(directory: storage, host: TestHost.make()))
    #expect(modes() == Self.shared)
  }

  /// Who may remove only what is his own stays so further down.
  @Test func aStickyDirectoryStaysSticky() throws {
    TestFiles.makeDirectory(storage)
    TestFiles.setOwner(storage, userID: geteuid(), groupID: Self.group)
    TestFiles.setMode(storage, 0o3770)
    try fill(LocalStore(directory: storage, host: TestHost.make()))
    #expect(TestFiles.permissions(storage.appending("a/b")) == 0o3770)
    #expect(TestFiles.permissions(storage.appending("a/b/object")) == 0o640)
  }

  /// One of the two is not enough: 2755 is what many a directory inherits.
  @Test(arguments: [0o2755, 0o770] as [UInt32]) func otherDirectoriesShareNothing(_ mode: UInt32) throws {
    TestFiles.makeDirectory(storage)
    TestFiles.setMode(storage, mode)
    try fill(LocalStore(directory: storage, host: TestHost.make()))
    #expect((TestFiles.permissions(storage.appending("a")) ?? 0) & 0o777 == 0o700)
    #expect(TestFiles.permissions(storage.appending("object")) == 0o600)
    #expect(TestFiles.permissions(storage.appending("locks/shop.lock")) == 0o644)
  }
}
