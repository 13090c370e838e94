import HoldfastModel
import HoldfastStore
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// A server that replaces objects is used only where the operator has said that one machine writes.
@Suite(.timeLimit(.minutes(30)), .requires(.rclone)) struct SingleWriterTests {
  @Test func aServerThatReplacesObjectsIsRefused() {
    let server = RcloneServer()
    let store = server.store(isSingleWriter: false)
    defer { withExtendedLifetime(server) {} }
    let error = #expect(throws: S3Error.self) { try store.probe(.system) }
    #expect(error == .replacesObjects(location: store.location))
    #expect(
      error?.description == """
        \(store.location) replaces objects that are there, though it was asked not to: two machines could replace each other's snapshots
        HINT: If only one machine writes there, say `single-writer: yes` in the configuration, or HOLDFAST_SINGLE_WRITER=yes; else take another server.
        """)
    #expect(error?.exitStatus == .usage)
  }
}
