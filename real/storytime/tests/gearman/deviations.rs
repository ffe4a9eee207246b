//! Where ours differs from Debian's gearmand 1.1.20, each shown on both.

/// A difference.
pub(crate) struct Deviation {
    /// What ours does, in words.
    pub(crate) what: &'static str,
    /// Steps that show it.
    pub(crate) script: &'static [&'static str],
    /// What the peer answers.
    pub(crate) theirs: &'static str,
    /// What ours answers.
    pub(crate) ours: &'static str,
}

pub(crate) const DEVIATIONS: &[Deviation] = &[
    Deviation {
        what: "a result of a job that has ended is passed over, not an error of which workers \
               in Perl die",
        script: &[
            "a SUBMIT_JOB f _ x",
            "w CAN_DO f",
            "w GRAB_JOB",
            "w WORK_COMPLETE ! y",
            "w WORK_COMPLETE #1 z",
        ],
        theirs: "a< JOB_CREATED #1; w< JOB_ASSIGN #1 f x; a< WORK_COMPLETE #1 y; w< ERROR \
               JOB_NOT_FOUND Job given in work result not found",
        ours: "a< JOB_CREATED #1; w< JOB_ASSIGN #1 f x; a< WORK_COMPLETE #1 y",
    },
    Deviation {
        what: "a failure behind an exception is passed over",
        script: &[
            "a OPTION_REQ exceptions",
            "a SUBMIT_JOB f _ x",
            "w CAN_DO f",
            "w GRAB_JOB",
            "w WORK_EXCEPTION ! oops",
            "w WORK_FAIL #1",
        ],
        theirs: "a< OPTION_RES exceptions; a< JOB_CREATED #1; w< JOB_ASSIGN #1 f x; a< \
               WORK_EXCEPTION #1 oops; w< ERROR JOB_NOT_FOUND Job given in work result not \
               found",
        ours: "a< OPTION_RES exceptions; a< JOB_CREATED #1; w< JOB_ASSIGN #1 f x; a< \
               WORK_EXCEPTION #1 oops",
    },
    Deviation {
        what: "who did not ask for exceptions is told a failure, without a NUL behind the handle",
        script: &["a SUBMIT_JOB f _ x", "w CAN_DO f", "w GRAB_JOB", "w WORK_EXCEPTION ! oops"],
        theirs: "a< JOB_CREATED #1; w< JOB_ASSIGN #1 f x; a< WORK_FAIL #1\\x00",
        ours: "a< JOB_CREATED #1; w< JOB_ASSIGN #1 f x; a< WORK_FAIL #1",
    },
    Deviation {
        what: "calendars",
        script: &["a SUBMIT_JOB_SCHED f _ 0 0 1 1 * x"],
        theirs: "a< ERROR INVALID_COMMAND Command not expected",
        ours: "a< JOB_CREATED #1",
    },
    Deviation {
        what: "who can do a function twice is one worker",
        script: &["w CAN_DO f", "w CAN_DO f", "w line status", "w line workers"],
        theirs: "w< .\\n; w< f\\t0\\t0\\t2\\n; w< .\\n; w< 127.0.0.1 - : f f\\n",
        ours: "w< .\\n; w< f\\t0\\t0\\t1\\n; w< .\\n; w< 127.0.0.1 - : f\\n",
    },
    Deviation {
        what: "a bound for a function that is not there yet holds",
        script: &["a line maxqueue f 1", "a SUBMIT_JOB_BG f _ 1", "a SUBMIT_JOB_BG f _ 2"],
        theirs: "a< OK\\r\\n; a< JOB_CREATED #1; a< JOB_CREATED #2",
        ours: "a< OK\\r\\n; a< JOB_CREATED #1; a< ERROR QUEUE_ERROR Job queue is full",
    },
    Deviation {
        what: "a job whose client left is found by its key and run for the next one",
        script: &[
            "a SUBMIT_JOB f k x",
            "a leave",
            "b SUBMIT_JOB f k y",
            "w CAN_DO f",
            "w GRAB_JOB",
        ],
        theirs: "a< JOB_CREATED #1; b< JOB_CREATED #1; w< NO_JOB",
        ours: "a< JOB_CREATED #1; b< JOB_CREATED #2; w< JOB_ASSIGN #2 f y",
    },
    Deviation {
        what: "a background job stays one when a client that waited for it, too, leaves",
        script: &[
            "a SUBMIT_JOB_BG f k x",
            "b SUBMIT_JOB f k y",
            "b leave",
            "w CAN_DO f",
            "w GRAB_JOB",
        ],
        theirs: "a< JOB_CREATED #1; b< JOB_CREATED #1; w< NO_JOB",
        ours: "a< JOB_CREATED #1; b< JOB_CREATED #1; w< JOB_ASSIGN #1 f x",
    },
    Deviation {
        what: "a background submit makes an abandoned job a background job",
        script: &[
            "a SUBMIT_JOB f k x",
            "a leave",
            "b SUBMIT_JOB_BG f k y",
            "w CAN_DO f",
            "w GRAB_JOB",
        ],
        theirs: "a< JOB_CREATED #1; b< JOB_CREATED #1; w< NO_JOB",
        ours: "a< JOB_CREATED #1; b< JOB_CREATED #2; w< JOB_ASSIGN #2 f y",
    },
    Deviation {
        what: "a cancelled job is not found by its key",
        script: &[
            "a SUBMIT_JOB_BG f k x",
            "a line cancel job H:1",
            "a SUBMIT_JOB_BG f k y",
            "w CAN_DO f",
            "w GRAB_JOB",
        ],
        theirs: "a< JOB_CREATED #1; a< OK\\r\\n; a< JOB_CREATED #1; w< NO_JOB",
        ours: "a< JOB_CREATED #1; a< OK\\r\\n; a< JOB_CREATED #2; w< JOB_ASSIGN #2 f y",
    },
    Deviation {
        what: "a cancelled job that runs ends once for its client",
        script: &[
            "a SUBMIT_JOB f _ x",
            "w CAN_DO f",
            "w GRAB_JOB",
            "o line cancel job H:1",
            "w WORK_COMPLETE ! y",
        ],
        theirs: "a< JOB_CREATED #1; w< JOB_ASSIGN #1 f x; a< WORK_FAIL #1; o< OK\\r\\n; a< \
               WORK_COMPLETE #1 y",
        ours: "a< JOB_CREATED #1; w< JOB_ASSIGN #1 f x; a< WORK_FAIL #1; o< OK\\r\\n",
    },
    Deviation {
        what: "a cancelled job is gone at once",
        script: &["a SUBMIT_JOB_BG f _ x", "a line cancel job H:1", "a line status"],
        theirs: "a< JOB_CREATED #1; a< OK\\r\\n; a< .\\n; a< f\\t1\\t0\\t0\\n",
        ours: "a< JOB_CREATED #1; a< OK\\r\\n; a< .\\n; a< f\\t0\\t0\\t0\\n",
    },
    Deviation {
        what: "a job that lost its worker goes before those that came later",
        script: &[
            "a SUBMIT_JOB_BG f _ 1",
            "a SUBMIT_JOB_BG f _ 2",
            "w CAN_DO f",
            "w GRAB_JOB",
            "w leave",
            "x CAN_DO f",
            "x GRAB_JOB",
        ],
        theirs: "a< JOB_CREATED #1; a< JOB_CREATED #2; w< JOB_ASSIGN #1 f 1; x< JOB_ASSIGN #2 f 2",
        ours: "a< JOB_CREATED #1; a< JOB_CREATED #2; w< JOB_ASSIGN #1 f 1; x< JOB_ASSIGN #1 f 1",
    },
    Deviation {
        what: "a job of high priority goes first, whatever its function",
        script: &[
            "a SUBMIT_JOB_HIGH_BG g _ high",
            "a SUBMIT_JOB_LOW_BG f _ low",
            "w CAN_DO g",
            "w CAN_DO f",
            "w GRAB_JOB",
        ],
        theirs: "a< JOB_CREATED #1; a< JOB_CREATED #2; w< JOB_ASSIGN #2 f low",
        ours: "a< JOB_CREATED #1; a< JOB_CREATED #2; w< JOB_ASSIGN #1 g high",
    },
    Deviation {
        what: "functions of a worker take turns",
        script: &[
            "a SUBMIT_JOB_BG f _ 1",
            "a SUBMIT_JOB_BG f _ 2",
            "a SUBMIT_JOB_BG g _ 3",
            "w CAN_DO g",
            "w CAN_DO f",
            "w GRAB_JOB",
            "w GRAB_JOB",
            "w GRAB_JOB",
        ],
        theirs: "a< JOB_CREATED #1; a< JOB_CREATED #2; a< JOB_CREATED #3; w< JOB_ASSIGN #1 f \
               1; w< JOB_ASSIGN #2 f 2; w< JOB_ASSIGN #3 g 3",
        ours: "a< JOB_CREATED #1; a< JOB_CREATED #2; a< JOB_CREATED #3; w< JOB_ASSIGN #1 f 1; \
               w< JOB_ASSIGN #3 g 3; w< JOB_ASSIGN #2 f 2",
    },
    Deviation {
        what: "a worker may end what it has begun before it could not do it any more",
        script: &[
            "a SUBMIT_JOB f _ x",
            "w CAN_DO f",
            "w GRAB_JOB",
            "w CANT_DO f",
            "w WORK_COMPLETE ! y",
        ],
        theirs: "a< JOB_CREATED #1; w< JOB_ASSIGN #1 f x; w< ERROR JOB_NOT_FOUND Job given in \
               work result not found",
        ours: "a< JOB_CREATED #1; w< JOB_ASSIGN #1 f x; a< WORK_COMPLETE #1 y",
    },
    Deviation {
        what: "a length that lies takes nothing of the next packet",
        script: &["b ECHO_REQ on", r"a raw \0REQ\0\0\0\x07\0\0\0\x03f\0u"],
        theirs: "b< ECHO_RES on; a< closed",
        ours: "b< ECHO_RES on; a< ERROR INVALID_PACKET SUBMIT_JOB needs more arguments; a< closed",
    },
    Deviation {
        what: "a long handle, or key, that is not known is told to be so",
        script: &[
            "a GET_STATUS HHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHH",
            "b GET_STATUS_UNIQUE kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk",
        ],
        theirs: "a< closed; b< closed",
        ours: "a< STATUS_RES HHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHH \
               0 0 0 0; b< STATUS_RES_UNIQUE \
               kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk 0 0 0 0 0",
    },
    Deviation {
        what: "an epoch that is no number of seconds is told to be none",
        script: &["a SUBMIT_JOB_EPOCH f _ 99999999999999999999 x"],
        theirs: "a< closed",
        ours: "a< ERROR INVALID_ARGUMENT Epoch not understood",
    },
    Deviation {
        what: "a function that is made by a line without CR keeps its last letter",
        script: &["a line create function name", "a line status"],
        theirs: "a< OK\\r\\n; a< .\\n; a< nam\\t0\\t0\\t0\\n",
        ours: "a< OK\\r\\n; a< .\\n; a< name\\t0\\t0\\t0\\n",
    },
    Deviation {
        what: "functions are dropped by their own name",
        script: &[r"a line create function name\r", "a line drop function NAME"],
        theirs: "a< OK\\r\\n; a< OK\\r\\n",
        ours: "a< OK\\r\\n; a< ERR function not found\\r\\n",
    },
    Deviation {
        what: "a function with jobs is not dropped",
        script: &["a SUBMIT_JOB_BG f _ x", "a line drop function f"],
        theirs: "a< JOB_CREATED #1; a< OK\\r\\n",
        ours: "a< JOB_CREATED #1; a< ERR there are still connected workers or executing \
               clients\\r\\n",
    },
    Deviation {
        what: "a name cannot forge a line",
        script: &[r"a raw \0REQ\0\0\0\x01\0\0\0\x03f\ng", "a line workers"],
        theirs: "a< .\\n; a< 127.0.0.1 - : f\\n; a< g\\n",
        ours: "a< .\\n; a< 127.0.0.1 - : f?g\\n",
    },
    Deviation {
        what: "a sleeper that can do more is woken for what waits",
        script: &["a SUBMIT_JOB_BG f _ x", "w PRE_SLEEP", "w CAN_DO f"],
        theirs: "a< JOB_CREATED #1",
        ours: "a< JOB_CREATED #1; w< NOOP",
    },
    Deviation {
        what: "an empty name is none",
        script: &["w SET_CLIENT_ID _", "w line workers"],
        theirs: "w< .\\n; w< 127.0.0.1  :\\n",
        ours: "w< .\\n; w< 127.0.0.1 - :\\n",
    },
];
