// Has a Node.js start another one wherever it would start itself: METASTATE_EMULATED_NODE, a script that runs the Node.js of
// another machine under an emulator. Required through NODE_OPTIONS, so that what tests start is emulated too.
process.execPath = process.env.METASTATE_EMULATED_NODE ?? process.execPath;
