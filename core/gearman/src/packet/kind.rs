//! The kinds of packets, and how many arguments each has.

/// Which way a packet goes, as its first four bytes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Magic {
    /// To the server.
    Request,
    /// From the server.
    Response,
}

impl Magic {
    /// Its bytes.
    pub const fn bytes(self) -> [u8; 4] {
        match self {
            Self::Request => *b"\0REQ",
            Self::Response => *b"\0RES",
        }
    }
}

macro_rules! kinds {
    ($(
        $(#[$doc:meta])*
        $number:literal $name:ident $wire:literal $arguments:literal $data:literal,
    )*) => {
        /// What a packet is. The number is the protocol's.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Kind { $($(#[$doc])* $name = $number,)* }

        impl Kind {
            /// All of them, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The kind of this number.
            pub const fn of(number: u32) -> Option<Self> {
                match number { $($number => Some(Self::$name),)* _ => None }
            }

            /// Its name in the protocol.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $wire,)* }
            }

            /// Arguments before the data; the last of them ends with the packet if there is none.
            pub const fn arguments(self) -> usize {
                match self { $(Self::$name => $arguments,)* }
            }

            /// Whether data follows the arguments.
            pub const fn has_data(self) -> bool {
                match self { $(Self::$name => $data,)* }
            }
        }
    };
}

kinds! {
    /// A worker can do this function.
    1 CanDo "CAN_DO" 1 false,
    /// A worker cannot do it any more.
    2 CantDo "CANT_DO" 1 false,
    /// A worker can do nothing.
    3 ResetAbilities "RESET_ABILITIES" 0 false,
    /// A worker goes to sleep; wake it with `Noop`.
    4 PreSleep "PRE_SLEEP" 0 false,
    /// Means nothing.
    5 Unused "UNUSED" 0 false,
    /// Wakes a worker.
    6 Noop "NOOP" 0 false,
    /// A job that the client waits for.
    7 SubmitJob "SUBMIT_JOB" 2 true,
    /// The handle of a job.
    8 JobCreated "JOB_CREATED" 1 false,
    /// A worker asks for a job.
    9 GrabJob "GRAB_JOB" 0 false,
    /// There is none.
    10 NoJob "NO_JOB" 0 false,
    /// A job for a worker.
    11 JobAssign "JOB_ASSIGN" 2 true,
    /// How far a job is.
    12 WorkStatus "WORK_STATUS" 3 false,
    /// A job's result.
    13 WorkComplete "WORK_COMPLETE" 1 true,
    /// A job failed.
    14 WorkFail "WORK_FAIL" 1 false,
    /// Asks how far a job is.
    15 GetStatus "GET_STATUS" 1 false,
    /// Asks for the same bytes back.
    16 EchoReq "ECHO_REQ" 0 true,
    /// The same bytes.
    17 EchoRes "ECHO_RES" 0 true,
    /// A job that nobody waits for.
    18 SubmitJobBg "SUBMIT_JOB_BG" 2 true,
    /// What the server does not accept, and why.
    19 Error "ERROR" 2 false,
    /// The answer to `GetStatus`.
    20 StatusRes "STATUS_RES" 5 false,
    /// A job to be done before others.
    21 SubmitJobHigh "SUBMIT_JOB_HIGH" 2 true,
    /// The name under which an operator sees a worker.
    22 SetClientId "SET_CLIENT_ID" 1 false,
    /// `CanDo` with the longest time that a job may take.
    23 CanDoTimeout "CAN_DO_TIMEOUT" 2 false,
    /// A worker that would be pushed jobs; no server does that.
    24 AllYours "ALL_YOURS" 0 false,
    /// A job failed with words.
    25 WorkException "WORK_EXCEPTION" 1 true,
    /// Switches an option of the connection on.
    26 OptionReq "OPTION_REQ" 1 false,
    /// The option is on.
    27 OptionRes "OPTION_RES" 1 false,
    /// A part of a job's result.
    28 WorkData "WORK_DATA" 1 true,
    /// A warning of a job's.
    29 WorkWarning "WORK_WARNING" 1 true,
    /// `GrabJob`, to be answered with the unique key.
    30 GrabJobUniq "GRAB_JOB_UNIQ" 0 false,
    /// `JobAssign` with the unique key.
    31 JobAssignUniq "JOB_ASSIGN_UNIQ" 3 true,
    /// `SubmitJobHigh` that nobody waits for.
    32 SubmitJobHighBg "SUBMIT_JOB_HIGH_BG" 2 true,
    /// A job to be done after others.
    33 SubmitJobLow "SUBMIT_JOB_LOW" 2 true,
    /// `SubmitJobLow` that nobody waits for.
    34 SubmitJobLowBg "SUBMIT_JOB_LOW_BG" 2 true,
    /// A background job at times of a calendar: minute, hour, day of the month, month, day of the
    /// week.
    35 SubmitJobSched "SUBMIT_JOB_SCHED" 7 true,
    /// A background job at a time: seconds since 1970.
    36 SubmitJobEpoch "SUBMIT_JOB_EPOCH" 3 true,
    /// A job whose worker splits it: function, unique key, reducer, an argument without use.
    37 SubmitReduceJob "SUBMIT_REDUCE_JOB" 4 true,
    /// `SubmitReduceJob` that nobody waits for.
    38 SubmitReduceJobBackground "SUBMIT_REDUCE_JOB_BACKGROUND" 4 true,
    /// `GrabJob`, to be answered with the unique key and the reducer.
    39 GrabJobAll "GRAB_JOB_ALL" 0 false,
    /// `JobAssignUniq` with the reducer.
    40 JobAssignAll "JOB_ASSIGN_ALL" 4 true,
    /// Asks how far the job with a unique key is.
    41 GetStatusUnique "GET_STATUS_UNIQUE" 1 false,
    /// The answer to `GetStatusUnique`.
    42 StatusResUnique "STATUS_RES_UNIQUE" 6 false,
}
