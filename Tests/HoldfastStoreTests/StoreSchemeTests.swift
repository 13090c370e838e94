import HoldfastModel
import HoldfastStore
import Testing

/// What is said when a host may not remove, by what it may not remove from.
@Suite struct StoreSchemeTests {
  @Test(arguments: [
    (
      StoreScheme.directory,
      "Run as a user who may remove there. Where names can only be added (chattr +a), whoever made it so lifts that, prunes, and makes it so again."
    ),
    (
      .sftp,
      "Log in as a user who may remove there. Where this account can only add, prune on the server, as the user who owns the files."
    ),
    (
      .s3,
      "Use credentials that permit s3:DeleteObject. Where this host can only add, prune from another one; what is locked stays until its term ends."
    ),
  ])
  func aRefusedRemovalSaysWhatToDo(_ scheme: StoreScheme, _ hint: String) {
    let error = StoreError.removalRefused(key: "a", location: "place", scheme)
    #expect(error.message == "a may not be removed from place")
    #expect(error.hint == hint)
  }

  @Test func aLayerSpeaksAsTheStoreBelow() {
    let store = SFTPTest.store(Path("/srv/new"), "none")
    let layered: any Store = ListedStore(CachingStore(store) { _ in false }) { _ in [] }
    #expect(layered.scheme == .sftp)
  }
}
